import { element } from "./html";
import type { StoredEntry } from "./transport/store";

/** What a file of answers is made from: whose it is, the session's secret, and the log of this browser. */
export interface AnswerFile {
  session: string;
  token: string;
  entries: () => Promise<StoredEntry[]>;
}

/** A button that saves everything logged in this browser as a signed JSON file, which the server can read in. */
export function downloadButton(label: string, source: AnswerFile): HTMLButtonElement {
  const button = element("button", { type: "button", class: "iri-page-button" }, label);
  button.addEventListener("click", async () => {
    const file = new Blob([await answerFile(source)], { type: "application/json" });
    const link = element("a", {
      href: URL.createObjectURL(file),
      download: `answers-${source.session}.json`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  return button;
}

/**
 * The file's text. `log` is text itself, so that what was signed is there byte for byte; `signature` is null where
 * the browser does not sign (pages without https).
 */
export async function answerFile({ session, token, entries }: AnswerFile): Promise<string> {
  const log = JSON.stringify((await entries()).map(({ seq, kind, payload }) => ({ seq, kind, payload })));
  return JSON.stringify({ session_id: session, log, signature: await sign(token, session, log) }, null, 1);
}

/** HMAC-SHA-256 of session and log, keyed with the token's SHA-256, which is what the server knows of it. */
async function sign(token: string, session: string, log: string): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const secret = hex(await crypto.subtle.digest("SHA-256", bytes(token)));
  const how = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes(secret), how, false, ["sign"]);
  return hex(await crypto.subtle.sign("HMAC", key, bytes(`${session}\n${log}`)));
}

function hex(buffer: ArrayBuffer): string {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
