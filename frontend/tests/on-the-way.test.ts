import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Study } from "../src/api";
import { element, richText } from "../src/html";
import { stringsFor } from "../src/i18n";
import IriPagePlugin from "../src/plugins/iri-page";
import IriTwoAfcPlugin from "../src/plugins/iri-two-afc";
import { SECONDS_TO_PROLIFIC, wayToProlific } from "../src/walk/way-back";
import { button, press, until } from "./browser";
import { Server, STUDY } from "./server";
import { answer, choose, code, heading, keptEntries, open, toTrials } from "./walker";

const BACK = "https://app.prolific.com/submissions/complete?cc=DONE-1";
const dialog = () => document.querySelector("dialog");

beforeEach(() => {
  // jsdom shows no dialogs.
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
    this.dispatchEvent(new Event("close"));
  };
  for (const left of document.querySelectorAll("dialog")) left.remove();
});

function events(server: Server): Record<string, unknown>[] {
  return [...server.log.values()].filter(({ kind }) => kind === "event").map(({ payload }) => payload);
}

function text(): string {
  return document.body.textContent ?? "";
}

describe("a pause", () => {
  it("hides the trial, is logged, and the trial comes again at the end of its block", async () => {
    const server = new Server(4);
    void open(server);
    await toTrials();
    await answer(0, "f");
    await until(() => document.querySelector('[data-phase=shown] img[src="/images/r1.png"]'));
    await choose("Pause");
    await heading("Paused");
    expect(document.querySelector(".iri-trial")).toBeNull();
    expect(button("Pause")?.hidden).toBe(true);
    press("f"); // answers nothing
    await choose("Continue");
    for (const n of [2, 3, 1]) await answer(n, "j");
    expect(await code()).toBe("DONE-1");
    expect(server.responses.map(({ presentation, attempt }) => [presentation, attempt])).toEqual([
      ["p0", 1],
      ["p2", 1],
      ["p3", 1],
      ["p1", 2],
    ]);
    expect(events(server)).toContainEqual({ event: "trial_interrupted", presentation: "p1", by: "pause" });
  });

  it("of the last trial asks it again", async () => {
    const server = new Server(1);
    void open(server);
    await toTrials();
    await until(() => document.querySelector("[data-phase=shown]"));
    await choose("Pause");
    await choose("Continue");
    await answer(0, "f");
    expect(await code()).toBe("DONE-1");
  });
});

describe("help", () => {
  it("takes a report of a problem, bounded, and leaves the trial for it", async () => {
    const server = new Server(2);
    void open(server);
    await toTrials();
    await until(() => document.querySelector("[data-phase=shown]"));
    await choose("Help");
    await heading("Paused");
    await choose("Send");
    expect(dialog()?.textContent).toContain("This needs an answer.");
    const words = dialog()?.querySelector("textarea") as HTMLTextAreaElement;
    words.value = ` ${"x".repeat(3_000)}`;
    await choose("Send");
    await until(() => dialog()?.textContent?.includes("The researchers will see it."));
    expect(words.value).toBe("");
    await choose("Close");
    expect(dialog()).toBeNull();
    await choose("Continue");
    await answer(1, "f");
    await answer(0, "f");
    await code();
    expect(events(server)).toContainEqual({
      event: "problem_reported",
      text: "x".repeat(2_000),
      page: "Paused",
    });
  });

  it("is there after the end, too, and leaves nothing in the browser", async () => {
    const server = new Server(1);
    void open(server);
    await toTrials();
    await answer(0, "f");
    await code();
    void open(server);
    await code();
    await choose("Help");
    (dialog()?.querySelector("textarea") as HTMLTextAreaElement).value = "late";
    await choose("Send");
    await until(() => events(server).some((payload) => payload.text === "late"));
    await until(() => dialog()?.textContent?.includes("The researchers will see it."));
    await vi.waitFor(async () => expect(await keptEntries()).toEqual([]));
  });

  it("names only whom to ask before the consent, and nothing where there is nobody", async () => {
    void open(new Server(1));
    await until(() => button("Start"));
    expect(button("Help")?.hidden).toBe(true);
    void open(new Server(1), { ...STUDY, contact: "lab@example.org" });
    await choose("Help");
    expect(dialog()?.querySelector("textarea")).toBeNull();
    expect(dialog()?.querySelector("a")?.getAttribute("href")).toBe("mailto:lab@example.org");
  });
});

describe("the welcome", () => {
  it("says minutes, pay and whom to ask", async () => {
    const pay = { amount: "2.50", currency: "GBP" };
    void open(new Server(1), { ...STUDY, contact: "Anna, room 5", pay });
    await until(() => button("Start"));
    expect(text()).toContain("About 5 minutes");
    expect(text()).toContain("£2.50");
    expect(text()).toContain("Questions or problems? Write to: Anna, room 5");
  });

  it.each([
    ["wrong_recruiter_study", "prolific", "It did not come from Prolific"],
    ["link_used", "single_use", "This link is not complete"],
    ["took_part_already", "open", "already"],
  ] as const)("tells at once of a link that would be refused (%s)", async (fault, recruiter, words) => {
    const server = new Server(1);
    const link = { fault, is_known: false };
    void open(server, { ...STUDY, recruiter, link, contact: "lab@example.org" });
    await until(() => text().includes(words));
    expect(button("Start")).toBeUndefined();
    expect(text()).toContain("lab@example.org");
    expect(server.calls).toEqual([]);
  });

  it("lets whoever began go on while nobody else can begin", async () => {
    const link = { fault: "", is_known: true };
    void open(new Server(1), { ...STUDY, link, accepting: false, status: "closed", full: true });
    await until(() => button("Start"));
  });

  it("is shown to whoever looks at the HIT, without a way to begin", async () => {
    void open(new Server(1), STUDY, "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE");
    await until(() => text().includes("accept the HIT"));
    expect(text()).toMatch(/About 5 minutes.*Hello/);
    expect(button("Start")).toBeUndefined();
  });
});

describe("the researcher's own words", () => {
  const texts = {
    ...STUDY.texts,
    full: "<p>Full house</p>",
    paused: "<p>Back on Monday</p>",
    closed: "<p>All done</p>",
    practice: "<p>Try these</p>",
    practice_failed: "<p>So close</p>",
  };
  it.each([
    [{ full: true }, "Full house", "All places in this study are taken"],
    [{ accepting: false, status: "paused" }, "Back on Monday", "paused for the moment"],
    [{ accepting: false, status: "closed" }, "All done", "does not take new participants"],
  ] as [Partial<Study>, string, string][])("take the place of the page's: %o", async (change, own, built) => {
    void open(new Server(1), { ...STUDY, ...change, texts });
    await until(() => text().includes(own));
    expect(text()).not.toContain(built);
    void open(new Server(1), { ...STUDY, ...change });
    await until(() => text().includes(built));
  });

  it("say before and after the practice what the study wants; there is no change of mind", async () => {
    const server = new Server(2);
    server.feedback = ["p0"];
    Object.assign(server, { passMark: 1, verdicts: { p0: false } });
    void open(server, { ...STUDY, texts });
    await toTrials();
    await until(() => text().includes("Try these"));
    await choose("Continue");
    await answer(0, "f");
    Object.assign(server, { state: "screened_out", code: "OUT-1" });
    await choose("Continue");
    await code();
    expect(text()).toMatch(/So close.*Your code for ending here.*OUT-1.*Your practice answers/);
    expect(text()).not.toContain("change your mind");
    server.state = "screened_out"; // whatever the log said last
    void open(server, STUDY);
    await until(() => text().includes("it says nothing about you"));
  });

  it("begin below the page's own heading", () => {
    const levels = (html: string) => [...richText(html).querySelectorAll("*")].map(({ tagName }) => tagName);
    expect(levels("<h1>A</h1><h2>B</h2>")).toEqual(["H2", "H3"]);
    expect(levels("<h3>A</h3><h4>B</h4>")).toEqual(["H2", "H3"]);
    expect(levels("<p>A</p>")).toEqual(["P"]);
  });
});

describe("instructions", () => {
  it("say what the trials do", async () => {
    const server = new Server(1);
    Object.assign(server.settings, {
      reference_ms: 1500,
      mask_ms: 200,
      image_frames: 12,
      time_limit_ms: 4000,
      confidence_levels: 3,
    });
    void open(server);
    await choose("Start");
    await choose("I agree");
    await heading("What to do");
    for (const words of [
      "one image alone, for 1.5 s",
      "Coloured noise",
      "Then two images come",
      "visible only for a moment",
      "how sure you are",
      "You have 4 s for each answer",
    ])
      expect(text()).toContain(words);
    expect(text()).not.toContain("the image above");
    await choose("Continue");
    const asked = await until(() => document.querySelector(".iri-trial-prompt"));
    expect([...asked.children].map(({ className, textContent }) => [className, textContent])).toEqual([
      ["is-first", "Look at this image."],
      ["is-shown", "Which image looks more like the one that you just saw?"],
      ["is-hidden", "Which image looked more like the first one?"],
    ]);
  });
});

describe("the way back to Prolific", () => {
  it("counts down in sight, then goes; staying stops it", () => {
    vi.useFakeTimers();
    try {
      const gone: string[] = [];
      const strings = stringsFor("en");
      for (const isStaying of [false, true]) {
        const box = wayToProlific(strings, BACK, (address) => gone.push(address));
        document.body.replaceChildren(box);
        expect(box.textContent).toContain(`back to Prolific in ${SECONDS_TO_PROLIFIC} s`);
        expect(box.querySelector("a")?.getAttribute("href")).toBe(BACK);
        vi.advanceTimersByTime(2_000);
        expect(box.textContent).toContain(`in ${SECONDS_TO_PROLIFIC - 2} s`);
        if (isStaying) button("Stay on this page")?.click();
        vi.advanceTimersByTime(60_000);
      }
      expect(gone).toEqual([BACK]);
      expect(text()).toContain("You stay on this page.");
      document.body.replaceChildren(element("p"));
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps the code at hand, and says what it is for", async () => {
    const server = new Server(1);
    server.redirect = BACK;
    void open(server, { ...STUDY, recruiter: "prolific" });
    await toTrials();
    await answer(0, "f");
    await code();
    expect(text()).toMatch(
      /Return to Prolific now.*Your completion code.*only if the way back does not work/,
    );
    expect(text()).not.toContain("Copy it if you were asked for one");
    await choose("Stay on this page");
  });
});

it("plugins say what to cite, and the package's version", () => {
  for (const { info } of [IriTwoAfcPlugin, IriPagePlugin]) {
    expect(info.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(Object.keys(info.citations)).toEqual(["apa", "bibtex"]);
    for (const citation of Object.values(info.citations)) expect(citation).toContain("Do Invariances");
  }
});
