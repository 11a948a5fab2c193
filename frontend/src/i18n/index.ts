import type { Strings } from "./strings";

// A further language is one more file here; nothing else changes.
const files = import.meta.glob<{ strings: Strings }>(["./*.ts", "!./index.ts", "!./strings.ts"], {
  eager: true,
});

const catalogue = new Map<string, Strings>(
  Object.entries(files).map(([path, file]) => [path.replace(/^\.\/|\.ts$/g, ""), file.strings]),
);

/** The strings of a language; of its base language ("de" for "de-AT"), else English. */
export function stringsFor(language: string): Strings {
  const found = catalogue.get(language) ?? catalogue.get(base(language)) ?? catalogue.get("en");
  if (!found) throw new Error("The page was built without src/i18n/en.ts.");
  return found;
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
