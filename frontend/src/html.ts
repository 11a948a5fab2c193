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
  for (const link of box.querySelectorAll("a[href]")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer");
  }
  return box;
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
