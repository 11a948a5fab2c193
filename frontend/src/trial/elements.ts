/** Makes an element without markup strings or style attributes, so that a strict CSP holds. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  text = "",
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** A place for a stimulus. */
export function imageFrame(): HTMLSpanElement {
  return element("span", "iri-trial-image");
}

/** Puts a decoded image into its place; its name for screen readers is that of the place. */
export function placeImage(frame: HTMLElement, image: HTMLImageElement): void {
  image.alt = "";
  image.draggable = false;
  frame.prepend(image);
}

/** What a trial asks: at the images, while a reference is shown first, and once the images are gone. */
export interface Prompts {
  prompt: string;
  reference_prompt?: string;
  hidden_prompt: string;
}

/** The prompt and what stands around the images in every format. */
export function trialRoot(format: string, prompts: Prompts, loadingText: string): HTMLDivElement {
  const root = element("div", "iri-trial");
  root.dataset.format = format;
  const question = promptOf(prompts);
  question.setAttribute("role", "heading");
  question.setAttribute("aria-level", "1");
  question.id = "iri-trial-prompt";
  const waiting = element("p", "iri-trial-loading", loadingText);
  const cross = element("div", "iri-trial-fixation", "+");
  cross.setAttribute("aria-hidden", "true");
  // The trial takes the focus, so that the next Tab reaches its first option and nothing else is read.
  root.tabIndex = -1;
  root.setAttribute("role", "group");
  root.setAttribute("aria-labelledby", question.id);
  root.append(question, waiting, cross);
  return root;
}

/** All wordings share one place, so that none of them moves the images; the style sheet shows that of the phase. */
function promptOf({ prompt, reference_prompt: first = "", hidden_prompt: hidden }: Prompts): HTMLElement {
  if (!first && !hidden) return element("div", "iri-trial-prompt", prompt);
  const question = element("div", "iri-trial-prompt has-phases");
  question.ariaLive = "polite";
  question.append(
    element("span", "is-first", first || prompt),
    element("span", "is-shown", prompt),
    element("span", "is-hidden", hidden || prompt),
  );
  return question;
}
