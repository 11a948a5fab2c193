import { element } from "./html";
import type { StoredEntry } from "./transport/store";

/** A button that saves everything logged in this browser as a JSON file. */
export function downloadButton(
  label: string,
  session: string,
  entries: () => Promise<StoredEntry[]>,
): HTMLButtonElement {
  const button = element("button", { type: "button", class: "iri-page-button" }, label);
  button.addEventListener("click", async () => {
    const log = (await entries()).map(({ seq, kind, payload, acknowledged }) => ({
      seq,
      kind,
      payload,
      acknowledged,
    }));
    const file = new Blob([JSON.stringify({ session_id: session, entries: log }, null, 1)], {
      type: "application/json",
    });
    const link = element("a", { href: URL.createObjectURL(file), download: `answers-${session}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  return button;
}
