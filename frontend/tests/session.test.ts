import { describe, expect, it } from "vitest";
import { button, until } from "./browser";
import { Server, STUDY } from "./server";
import { answer, choose, code, heading, open, toTrials } from "./walker";

describe("the walk", () => {
  it("goes from the welcome to the code, and asks for a session only after the click", async () => {
    const server = new Server(3);
    void open(server, STUDY, "?PROLIFIC_PID=abc&mode=pilot");
    await until(() => button("Start"));
    expect(server.calls).toEqual([]);
    await toTrials();
    await answer(0, "f");
    await answer(1, "j");
    await answer(2, "1");
    expect(await code()).toBe("DONE-1");
    expect(document.body.textContent).toMatch(/Your completion code.*DONE-1.*Why/);
    expect(server.bodies[0]).toEqual({
      study: "demo",
      mode: "pilot",
      language: "en",
      recruitment: { PROLIFIC_PID: "abc" },
      is_small_touch_device: false,
    });
    expect(server.responses.map((payload) => [payload.presentation, payload.answers])).toEqual([
      ["p0", [{ reference: 0, option: 0 }]],
      ["p1", [{ reference: 0, option: 1 }]],
      ["p2", [{ reference: 0, option: 0 }]],
    ]);
    expect(server.responses[0]).toMatchObject({ trial_type: "iri-two-afc", input: "key", timed_out: false });
  });

  it("shows the options in the manifest's order, not in the list's", async () => {
    void open(new Server(1));
    await toTrials();
    await until(() => document.querySelector("[data-phase=shown]"));
    const sources = [...document.querySelectorAll("button img")].map((image) => image.getAttribute("src"));
    expect(sources).toEqual(["/images/a0.png", "/images/b0.png"]);
  });

  it("says after the researcher's text what the session's format asks", async () => {
    void open(new Server(1));
    await choose("Start");
    await choose("I agree");
    await heading("What to do");
    const text = document.querySelector(".iri-page")?.textContent;
    expect(text).toMatch(/^What to doChooseLook at the image above.*Click or tap what you choose\./);
    expect(text).not.toContain("For every image above");
  });

  it("ends kindly with its own code after a refusal, without asking for images", async () => {
    const server = new Server(3);
    void open(server);
    await choose("Start");
    await choose("I do not agree");
    expect(await code()).toBe("NO-CONSENT");
    // Why comes before the code, which is not one of completion.
    expect(document.body.textContent).toMatch(/Bye.*Your code for declining.*NO-CONSENT/);
    expect(server.calls).not.toContain("GET /api/sessions/me/manifest/");
  });

  it("shows the consent again when its text has changed", async () => {
    const server = new Server(1);
    server.consentVersion = "v2";
    void open(server);
    await choose("Start");
    await choose("I agree");
    await until(() => document.body.textContent?.includes("has changed"));
    await choose("I agree");
    await until(() => button("Continue"));
    expect(server.state).toBe("consented");
  });

  it("shows the verdict on a practice trial", async () => {
    const server = new Server(1);
    server.feedback = ["p0"];
    void open(server);
    await toTrials();
    await heading("First, some practice");
    await choose("Continue");
    await answer(0, "f");
    await heading("Correct.");
    await choose("Continue");
    await heading("Practice is over");
    await choose("Continue");
    expect(await code()).toBe("DONE-1");
  });

  it("asks the next round of practice of whoever did not pass, and skips it for whoever did", async () => {
    const server = new Server(4);
    server.feedback = ["p0", "p1", "p2"];
    Object.assign(server, { round: 1, passMark: 1, verdicts: { p0: false } });
    void open(server);
    await toTrials();
    await heading("First, some practice");
    await choose("Continue");
    await answer(0, "f");
    await heading("Not quite.");
    await choose("Continue");
    await heading("Once more");
    await choose("Continue");
    await answer(1, "f");
    await heading("Correct.");
    await choose("Continue");
    await heading("Practice is over");
    await choose("Continue");
    await answer(3, "f");
    expect(await code()).toBe("DONE-1");
    expect(server.responses.map((payload) => payload.presentation)).toEqual(["p0", "p1", "p3"]);
  });

  it("ends kindly with a code for whoever passes no round", async () => {
    const server = new Server(2);
    server.feedback = ["p0"];
    Object.assign(server, { passMark: 1, verdicts: { p0: false } });
    void open(server);
    await toTrials();
    await heading("First, some practice");
    await choose("Continue");
    await answer(0, "f");
    Object.assign(server, { state: "screened_out", code: "OUT-1" });
    await heading("Not quite.");
    await choose("Continue");
    expect(await code()).toBe("OUT-1");
    expect(document.body.textContent).toContain("more right answers in the practice");
  });

  it("asks the questionnaire after the trials, and takes it only once it is whole", async () => {
    const server = new Server(1);
    const bare = { choices: [] as [string, string][], minimum: null, maximum: null, is_required: false };
    server.questions = [
      {
        ...bare,
        name: "age",
        kind: "number",
        label: "Your age",
        minimum: 18,
        maximum: 99,
        is_required: true,
      },
      { ...bare, name: "note", kind: "long_text", label: "Anything else?" },
    ];
    void open(server);
    await toTrials();
    await answer(0, "f");
    await heading("A few questions");
    const age = document.querySelector("input") as HTMLInputElement;
    expect(document.activeElement).toBe(age);
    await choose("Continue");
    await until(() => document.body.textContent?.includes("This needs an answer."));
    expect(document.activeElement).toBe(age);
    age.value = "12";
    await choose("Continue");
    await until(() => document.body.textContent?.includes("Please give a number (18 – 99)."));
    age.value = "40";
    await choose("Continue");
    expect(await code()).toBe("DONE-1");
    const entries = [...server.log.values()].filter((entry) => entry.kind === "questionnaire");
    expect(entries.map((entry) => entry.payload)).toEqual([{ answers: { age: 40 } }]);
  });

  it("has the focus on the button that goes on, on every page", async () => {
    const server = new Server(1);
    void open(server);
    for (const name of ["Start", "I agree", "Continue"]) {
      const main = await until(() => button(name));
      expect(document.activeElement).toBe(main);
      expect(document.activeElement?.closest("[role=group]")?.getAttribute("aria-labelledby")).toBeTruthy();
      const held = new KeyboardEvent("keydown", { key: "Enter", repeat: true, cancelable: true });
      expect(main.dispatchEvent(held)).toBe(false); // held down since the page before
      main.click();
    }
    await answer(0, "f");
  });

  it("says nothing of saving on the instructions while an entry is held back or soon there", async () => {
    const server = new Server(1);
    void open(server);
    await choose("Start");
    await choose("I agree");
    await until(() => button("Continue"));
    const said = document.querySelector(".saving") as HTMLElement;
    const heard: string[] = [];
    new MutationObserver(() => heard.push(said.textContent ?? "")).observe(said, { childList: true });
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(server.log.size).toBeGreaterThan(0);
    expect(heard.filter(Boolean)).toEqual([]);
  });

  it("says so where the study takes nobody", async () => {
    const server = new Server(1);
    void open(server, { ...STUDY, accepting: false, status: "closed" });
    await until(() => document.querySelector("h1")?.textContent === "This study is closed");
    expect(server.calls).toEqual([]);
  });
});

describe("the end", () => {
  it("waits until the server has everything, sending again what it lacks", async () => {
    const server = new Server(2);
    server.forget = [3, 4];
    void open(server);
    await toTrials();
    await answer(0, "f");
    await answer(1, "j");
    expect(await code()).toBe("DONE-1");
    expect(server.answered).toEqual(new Set(["p0", "p1"]));
  });
});

describe("an error that trying again cannot mend", () => {
  it("ends the walk with the server's reason instead of leaving a dead button", async () => {
    const server = new Server(1);
    const fetch = async (path: string, init: RequestInit) =>
      path === "/api/sessions/"
        ? new Response(JSON.stringify({ code: "study_closed", detail: "" }), { status: 403 })
        : server.fetch(path, init);
    void open({ fetch });
    await choose("Start");
    const alert = await until(() => document.querySelector(".iri-page-error:not(:empty)"));
    expect(alert.textContent).toContain("does not take new participants");
    expect(button("Start")?.getAttribute("aria-disabled")).toBe("false");
  });

  it("of the manifest reaches the caller", async () => {
    const server = new Server(1);
    const fetch = async (path: string, init: RequestInit) =>
      path.endsWith("/manifest/")
        ? new Response(JSON.stringify({ code: "not_consented", detail: "no" }), { status: 403 })
        : server.fetch(path, init);
    const done = open({ fetch });
    const failed = expect(done).rejects.toThrow("not_consented: no");
    await choose("Start");
    await choose("I agree");
    await failed;
  });
});
