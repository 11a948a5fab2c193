import { element } from "../html";
import type { Strings } from "../i18n/strings";

/** Whom participants can ask, as a line with a link where there is something to link to; null: nobody is named. */
export function contactLine(strings: Strings, contact: string): HTMLElement | null {
  const given = contact.trim();
  if (!given) return null;
  const address = addressOf(given);
  const named = element("bdi", {}, given);
  const link =
    address && element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, named);
  return element("p", { class: "contact" }, `${strings.contact} `, link || named);
}

function addressOf(contact: string): string | null {
  if (/^https?:\/\/\S+$/i.test(contact)) return contact;
  return /^[^\s@<>?&"]+@[^\s@<>?&"]+\.[^\s@<>?&"]+$/.test(contact) ? `mailto:${contact}` : null;
}
