import { describe, expect, it } from "vitest";
import type { Presentation } from "../src/api";
import { richText } from "../src/html";
import { chooseLanguage, fill, stringsFor } from "../src/i18n";
import { imageSize } from "../src/layout";
import { readLink, sessionKey } from "../src/link";
import { remainingSteps } from "../src/order";
import { ImagePreloader } from "../src/preload";
import { until } from "./browser";

function presentation(position: number, more: Partial<Presentation> = {}): Presentation {
  return {
    id: `p${position}`,
    position,
    format: "two_afc",
    attempt: 1,
    references: [],
    options: [],
    answered: false,
    break_before: false,
    feedback: false,
    ...more,
  };
}

describe("what is left to ask", () => {
  const all = [0, 1, 2, 3, 4].map((position) => presentation(position, { break_before: position === 3 }));
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
  it.each([
    ["desk", 96, { width: 1280, height: 800, devicePixelRatio: 1 }, 192],
    ["phone of 390 px", 96, { width: 390, height: 844, devicePixelRatio: 3 }, 160],
    ["phone of 360 px", 96, { width: 360, height: 640, devicePixelRatio: 3 }, 128],
    ["phone on its side", 96, { width: 640, height: 360, devicePixelRatio: 3 }, 96],
    ["desk, larger images", 128, { width: 1920, height: 1080, devicePixelRatio: 1 }, 256],
    ["smaller than fits", 224, { width: 320, height: 400, devicePixelRatio: 1 }, 224],
  ])("on a %s", (_, px, viewport, size) => {
    expect(imageSize(px, viewport)).toBeCloseTo(size, 6);
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
    expect(chooseLanguage(["en", "de"], "fr", ["de-AT"])).toBe("de");
    expect(chooseLanguage(["es"], null, ["de"])).toBe("es");
  });

  it("fill the same values in each", () => {
    const marks = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();
    const english = stringsFor("en");
    for (const language of ["de", "es"]) {
      const strings = stringsFor(language);
      expect(strings.languageName).not.toBe(english.languageName);
      for (const key of Object.keys(english) as (keyof typeof english)[]) {
        expect(marks(strings[key]), `${language}.${key}`).toEqual(marks(english[key]));
      }
    }
  });

  it("fall back to English", () => {
    expect(stringsFor("eo").languageName).toBe("English");
    expect(fill("{n} of {total}", { n: 1, total: 2 })).toBe("1 of 2");
  });
});

describe("a link", () => {
  it("says mode and language, and leaves the rest to the recruiter", () => {
    const link = readLink("?PROLIFIC_PID=abc&mode=pilot&lang=de");
    expect(link).toEqual({ mode: "pilot", language: "de", recruitment: { PROLIFIC_PID: "abc" } });
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
