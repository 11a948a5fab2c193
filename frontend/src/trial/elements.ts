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

/** The prompt and what stands around the images in every format. */
export function trialRoot(format: string, prompt: string, loadingText: string): HTMLDivElement {
  const root = element("div", "iri-trial");
  root.dataset.format = format;
  const question = element("div", "iri-trial-prompt", prompt);
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
