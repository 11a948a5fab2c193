import "fake-indexeddb/auto";
import { beforeEach, vi } from "vitest";
import type { Study } from "../src/api";
import { SurveySession } from "../src/session";
import { type LogStore, openStore } from "../src/transport/store";
import { button, furnishBrowser, press, until } from "./browser";
import { type Server, STUDY } from "./server";

/** A participant at a browser: a new one, with an empty database, for every test of a file that imports this. */

let store: LogStore;
let stores = 0;

beforeEach(async () => {
  furnishBrowser();
  stores += 1;
  store = await openStore(`walk-${stores}`);
});

/** What the browser's database still holds of the session. */
export function keptEntries(): ReturnType<LogStore["entries"]> {
  return store.entries("s1");
}

/** Opens the page (again): a new document with the same browser storage. Resolves when the walk is over. */
export function open(server: Pick<Server, "fetch">, study: Study = STUDY, search = ""): Promise<void> {
  vi.stubGlobal("fetch", server.fetch);
  const app = document.createElement("div");
  document.body.replaceChildren(app);
  return new SurveySession(app, study, store, search).run();
}

export function heading(text: string): Promise<unknown> {
  return until(() => document.querySelector("h1")?.textContent === text);
}

export async function choose(name: string): Promise<void> {
  (await until(() => button(name))).click();
}

/** Answers the trial that asks about the n-th reference. */
export async function answer(n: number, key: string): Promise<void> {
  await until(() => document.querySelector(`[data-phase=shown] img[src="/images/r${n}.png"]`));
  await until(() => {
    press(key);
    return !document.querySelector(`[data-phase=shown] img[src="/images/r${n}.png"]`);
  });
}

export async function toTrials(): Promise<void> {
  await choose("Start");
  await choose("I agree");
  await choose("Continue");
}

export function code(): Promise<string | null> {
  return until(() => document.querySelector("[data-testid=completion-code]")).then(
    (shown) => shown.textContent,
  );
}
