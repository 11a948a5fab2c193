import DOMPurify from "dompurify";

/**
 * The researcher's text as elements. The server has sanitised it already; here it is done again, so that
 * neither side has to trust the other. Styles and forms are left out; links open beside the survey.
 */
export function richText(html: string): HTMLElement {
  const box = element("div", { class: "text" });
  box.append(
    DOMPurify.sanitize(html, {
      USE_PROFILES: { html: true },
      FORBID_TAGS: ["style", "form", "input", "button", "select", "textarea"],
      FORBID_ATTR: ["style", "id", "name"],
      RETURN_DOM_FRAGMENT: true,
    }),
  );
  lowerHeadings(box);
  for (const link of box.querySelectorAll("a[href]")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer");
  }
  return box;
}

/** The page has its own first heading: those of the text come below it, the highest of them as second. */
function lowerHeadings(box: HTMLElement): void {
  const headings = [...box.querySelectorAll("h1, h2, h3, h4, h5, h6")];
  const level = (heading: Element) => Number(heading.tagName.slice(1));
  const step = 2 - Math.min(...headings.map(level));
  for (const heading of headings) {
    const lowered = document.createElement(`h${Math.min(6, level(heading) + step)}`);
    lowered.append(...heading.childNodes);
    heading.replaceWith(lowered);
  }
}

/** Makes an element with attributes and children, without markup strings. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
