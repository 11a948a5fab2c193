import type { Strings } from "./strings";

// A further language is one more file here; nothing else changes.
const files = import.meta.glob<{ strings: Strings }>(["./*.ts", "!./index.ts", "!./strings.ts"], {
  eager: true,
});

const catalogue = new Map<string, Strings>(
  Object.entries(files).map(([path, file]) => [path.replace(/^\.\/|\.ts$/g, ""), file.strings]),
);

/** The language that is spoken to somebody who asks for this one: its base ("de" for "de-AT"), else English. */
export function spokenFor(language: string): string {
  return [language, base(language)].find((known) => catalogue.has(known)) ?? "en";
}

/** The strings of the language that is spoken. */
export function stringsFor(language: string): Strings {
  const found = catalogue.get(spokenFor(language));
  if (!found) throw new Error("The page was built without src/i18n/en.ts.");
  return found;
}

/** Tells the browser, and whoever reads the page aloud, how it is written. */
export function setDocumentLanguage(language: string, { direction }: Strings): void {
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
}

/**
 * The language to show: the one asked for in the link, else the browser's first that the study offers,
 * else the study's first.
 */
export function chooseLanguage(
  offered: readonly string[],
  requested: string | null,
  preferred: readonly string[],
): string {
  for (const wish of [requested, ...preferred]) {
    if (!wish) continue;
    const match =
      offered.find((language) => language === wish) ?? offered.find((l) => base(l) === base(wish));
    if (match) return match;
  }
  return offered[0] ?? "en";
}

/** Fills `{name}` marks: `fill("{n} of {total}", {n: 3, total: 20})` is "3 of 20". */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (mark, name: string) => String(values[name] ?? mark));
}

function base(language: string): string {
  return language.toLowerCase().split("-")[0] ?? language;
}
