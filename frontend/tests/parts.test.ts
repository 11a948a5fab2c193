import { createHash, createHmac } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import type { Presentation, Question } from "../src/api";
import { answerFile } from "../src/download";
import { richText } from "../src/html";
import { chooseLanguage, fill, setDocumentLanguage, spokenFor, stringsFor } from "../src/i18n";
import { imageSize } from "../src/layout";
import { readLink, sessionKey } from "../src/link";
import { remainingSteps } from "../src/order";
import { Practice } from "../src/practice";
import { ImagePreloader } from "../src/preload";
import { Questionnaire } from "../src/questionnaire";
import { until } from "./browser";

function presentation(position: number, more: Partial<Presentation> = {}): Presentation {
  return {
    id: `p${position}`,
    position,
    block: 0,
    format: "two_afc",
    attempt: 1,
    references: [],
    options: [],
    answered: false,
    break_before: false,
    feedback: false,
    correct: null,
    ...more,
  };
}

describe("what is left to ask", () => {
  const all = [0, 1, 2, 3, 4].map((position) =>
    presentation(position, { break_before: position === 3, block: Number(position >= 3) }),
  );
  const ids = (answered: string[], interrupted: string[]) =>
    remainingSteps(all, new Set(answered), new Set(interrupted)).map((step) => step.presentation.id);

  it("is everything unanswered, by position", () => {
    expect(ids([], [])).toEqual(["p0", "p1", "p2", "p3", "p4"]);
    expect(ids(["p0", "p2"], [])).toEqual(["p1", "p3", "p4"]);
  });

  it("has an interrupted trial at the end of its block", () => {
    expect(ids(["p0"], ["p1"])).toEqual(["p2", "p1", "p3", "p4"]);
    expect(ids([], ["p3"])).toEqual(["p0", "p1", "p2", "p4", "p3"]);
  });

  it("has the break before whatever opens the block, but never first", () => {
    const breaks = (answered: string[], interrupted: string[]) =>
      remainingSteps(all, new Set(answered), new Set(interrupted))
        .filter((step) => step.breakBefore)
        .map((step) => step.presentation.id);
    expect(breaks([], ["p3"])).toEqual(["p4"]);
    expect(breaks(["p0", "p1", "p2"], [])).toEqual([]);
  });
});

describe("image size", () => {
  const pair = { columns: 2, rows: 2, extraPx: 0 };
  const desk = { width: 1280, height: 800, devicePixelRatio: 1 };
  const phone = { width: 390, height: 844, devicePixelRatio: 1 };

  it.each([
    ["desk", 96, desk, 192],
    ["phone of 390 px with three device pixels to each", 96, { ...phone, devicePixelRatio: 3 }, 160],
    ["phone of 360 px", 96, { width: 360, height: 640, devicePixelRatio: 3 }, 128],
    ["phone on its side", 96, { width: 640, height: 360, devicePixelRatio: 3 }, 96],
    ["desk, larger images", 128, { width: 1920, height: 1080, devicePixelRatio: 1 }, 256],
    ["window too small for whole pixels", 224, { width: 320, height: 500, devicePixelRatio: 1 }, 126],
  ])("in whole pixels on a %s", (_, px, viewport, size) => {
    expect(imageSize(px, viewport, pair, "whole")).toBeCloseTo(size, 6);
  });

  it.each([
    ["phone of 390 px", pair, phone, 161],
    ["phone of 390 px, three in a row", { columns: 3, rows: 2, extraPx: 0 }, phone, 98],
    ["desk", pair, desk, 256],
    ["desk, one row", { columns: 3, rows: 1, extraPx: 0 }, desk, 256],
    ["window of 320 px, six in a row", { columns: 6, rows: 2, extraPx: 72 }, { ...phone, width: 320 }, 48],
  ])("smooth, as large as there is room, on a %s", (_, grid, viewport, size) => {
    expect(imageSize(96, viewport, grid, "smooth")).toBeCloseTo(size, 6);
  });
});

describe("practice", () => {
  const round = (block: number) =>
    [0, 1].map((place) =>
      presentation(2 * block + place, { id: `${block}.${place}`, block, feedback: true }),
    );
  const rounds = [...round(0), ...round(1), presentation(4, { block: 2 })];

  it("that was passed needs no further round", () => {
    const practice = new Practice(rounds, 2);
    expect(practice.standing).toBe("open");
    for (const id of ["0.0", "0.1"]) practice.record(id, true);
    expect(practice.standing).toBe("passed");
    expect(rounds.map((one) => practice.isNeeded(one))).toEqual([false, false, false, false, true]);
  });

  it("that was passed in no round is failed", () => {
    const practice = new Practice(rounds, 2);
    for (const [id, correct] of [
      ["0.0", true],
      ["0.1", false],
      ["1.0", false],
    ] as const) {
      practice.record(id, correct);
      expect(practice.standing).toBe("open");
    }
    practice.record("1.1", true);
    expect(practice.standing).toBe("failed");
  });

  it("goes on from what the server judged before a reload", () => {
    const judged = rounds.map((one) => (one.block === 0 ? { ...one, correct: true } : one));
    expect(new Practice(judged, 2).standing).toBe("passed");
    expect(new Practice(rounds.slice(4), 0).standing).toBe("passed");
  });

  it("without a rule is over once it was answered, even without a verdict", () => {
    const practice = new Practice(round(0), 0);
    practice.record("0.0", null);
    expect(practice.standing).toBe("open");
    practice.record("0.1", false);
    expect(practice.standing).toBe("passed");
  });
});

describe("preloading", () => {
  it("loads six at a time, in order", async () => {
    const started: string[] = [];
    const preloader = new ImagePreloader((url) => {
      started.push(url);
      return new Promise(() => undefined);
    });
    preloader.want(Array.from({ length: 10 }, (_, n) => `/${n}.png`));
    await new Promise((resolve) => setTimeout(resolve));
    expect(started).toEqual(["/0.png", "/1.png", "/2.png", "/3.png", "/4.png", "/5.png"]);
  });

  it("tries a failed image again and loads each once", async () => {
    let tries = 0;
    const preloader = new ImagePreloader(async () => {
      tries += 1;
      if (tries === 1) throw new Error("lost");
      return new Image();
    });
    preloader.want(["/a.png"]);
    preloader.want(["/a.png"]);
    await until(() => tries === 1);
    window.dispatchEvent(new Event("online"));
    expect(await preloader.take("/a.png")).toBeInstanceOf(HTMLImageElement);
    expect(tries).toBe(2);
  });
});

describe("languages", () => {
  it("follow the link, then the browser, then the study", () => {
    expect(chooseLanguage(["en", "de"], "de", ["en"])).toBe("de");
    expect(chooseLanguage(["en", "de"], "it", ["de-AT"])).toBe("de");
    expect(chooseLanguage(["es"], null, ["de"])).toBe("es");
  });

  it("fill the same values in each", () => {
    const marks = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();
    const english = stringsFor("en");
    for (const language of ["ar", "de", "es", "fr"]) {
      const strings = stringsFor(language);
      expect(strings.languageName).not.toBe(english.languageName);
      for (const key of Object.keys(english) as (keyof typeof english)[]) {
        expect(marks(strings[key]), `${language}.${key}`).toEqual(marks(english[key]));
      }
    }
  });

  it("are written the way the language is", () => {
    const root = document.documentElement;
    setDocumentLanguage("ar", stringsFor("ar"));
    expect([root.lang, root.dir]).toEqual(["ar", "rtl"]);
    setDocumentLanguage("de", stringsFor("de"));
    expect([root.lang, root.dir]).toEqual(["de", "ltr"]);
    expect([spokenFor("ar-EG"), spokenFor("de-AT"), spokenFor("eo")]).toEqual(["ar", "de", "en"]);
  });

  it("fall back to English", () => {
    expect(stringsFor("eo").languageName).toBe("English");
    expect(fill("{n} of {total}", { n: 1, total: 2 })).toBe("1 of 2");
  });
});

describe("a link", () => {
  it("says mode and language, and leaves the rest to the recruiter", () => {
    const link = readLink("?PROLIFIC_PID=abc&mode=pilot&lang=de");
    expect(link).toEqual({
      mode: "pilot",
      language: "de",
      ticket: null,
      recruitment: { PROLIFIC_PID: "abc" },
    });
  });

  it("of another participant is another session; its order and language are not", () => {
    const key = (search: string) => sessionKey("demo", readLink(search));
    expect(key("?a=1&b=2&lang=de")).toBe(key("?b=2&a=1"));
    expect(key("?a=1")).not.toBe(key("?a=2"));
  });
});

describe("the researcher's text", () => {
  it("keeps its structure and loses whatever acts or hides", () => {
    const text = richText(
      '<h2>Hi</h2><p style="display:none" onclick="x()">a <a href="https://example.org">link</a></p><script>x()</script>',
    );
    expect(text.innerHTML).toBe(
      '<h2>Hi</h2><p>a <a href="https://example.org" target="_blank" rel="noopener noreferrer">link</a></p>',
    );
  });
});

describe("a questionnaire", () => {
  const field = (name: string, kind: Question["kind"], more: Partial<Question> = {}): Question => ({
    name,
    kind,
    label: name,
    choices: [],
    minimum: null,
    maximum: null,
    is_required: false,
    ...more,
  });
  const choices: [string, string][] = [
    ["d", "Dog"],
    ["c", "Cat"],
  ];
  const pick = (root: HTMLElement, label: string): void => {
    const found = [...root.querySelectorAll("label")].find((candidate) => candidate.textContent === label);
    (found?.querySelector("input") as HTMLInputElement).checked = true;
  };

  it("gives numbers, texts, choices and scales by name, and leaves out what is empty", () => {
    const fields = [
      field("one", "choice", { choices }),
      field("any", "choices", { choices }),
      field("sure", "scale", { minimum: 1, maximum: 3 }),
      field("age", "number"),
      field("word", "text"),
      field("more", "long_text"),
    ];
    const questionnaire = new Questionnaire(fields, stringsFor("en"));
    expect(questionnaire.read()).toEqual({});
    const groups = questionnaire.root.querySelectorAll<HTMLElement>("fieldset");
    pick(groups[0] as HTMLElement, "Cat");
    pick(groups[1] as HTMLElement, "Dog");
    pick(groups[1] as HTMLElement, "Cat");
    pick(groups[2] as HTMLElement, "3");
    const typed = questionnaire.root.querySelectorAll<HTMLInputElement>(".question > input, textarea");
    for (const [place, text] of ["40.5", " yes ", ""].entries())
      (typed[place] as HTMLInputElement).value = text;
    expect(questionnaire.read()).toEqual({ one: "c", any: ["d", "c"], sure: 3, age: 40.5, word: "yes" });
  });

  it("names every field and ties its error to it", () => {
    const fields = [field("age", "number", { is_required: true }), field("pet", "choice", { choices })];
    const { root } = new Questionnaire(fields, stringsFor("en"));
    const label = root.querySelector("label") as HTMLLabelElement;
    expect(label.textContent).toBe("age *");
    const input = root.querySelector(`#${label.htmlFor}`) as HTMLElement;
    expect(root.querySelector(`#${input.getAttribute("aria-describedby")}`)?.getAttribute("role")).toBe(
      "alert",
    );
    expect(root.querySelector("legend")?.textContent).toBe("pet");
    expect(input.hasAttribute("data-autofocus")).toBe(true);
  });
});

describe("a file of answers", () => {
  it("is signed with the hash of the session's token", async () => {
    const entries = [
      { session: "s1", seq: 1, kind: "event" as const, payload: { a: "ä" }, acknowledged: true },
    ];
    const text = await answerFile({ session: "s1", token: "t1", entries: async () => entries });
    const file = JSON.parse(text) as { session_id: string; log: string; signature: string };
    expect(JSON.parse(file.log)).toEqual([{ seq: 1, kind: "event", payload: { a: "ä" } }]);
    const key = createHash("sha256").update("t1").digest("hex");
    const expected = createHmac("sha256", key).update(`s1\n${file.log}`).digest("hex");
    expect(file).toMatchObject({ session_id: "s1", signature: expected });
  });

  it("has no signature where the browser gives no cryptography", async () => {
    vi.stubGlobal("crypto", {});
    const text = await answerFile({ session: "s1", token: "t1", entries: async () => [] });
    vi.unstubAllGlobals();
    expect(JSON.parse(text)).toEqual({ session_id: "s1", log: "[]", signature: null });
  });
});
