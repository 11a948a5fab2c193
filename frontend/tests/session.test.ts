import "fake-indexeddb/auto";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Ending, LogEntry, Question, Study } from "../src/api";
import { SurveySession } from "../src/session";
import { type LogStore, openStore } from "../src/transport/store";
import { button, furnishBrowser, press, until } from "./browser";

const STUDY: Study = {
  slug: "demo",
  title: "Alike?",
  status: "open",
  recruiter: "open",
  accepting: true,
  full: false,
  languages: ["en"],
  language: "en",
  minutes: 5,
  image_px: 96,
  texts: {
    welcome: "<p>Hello</p>",
    consent: "<p>Terms</p>",
    instructions: "<p>Choose</p>",
    debrief: "<p>Why</p>",
    refused: "<p>Bye</p>",
  },
  consent_version: "v1",
  policy: { mobile: "allow", keyboard_shortcuts: true },
};

/** The survey's API as a script: what it was asked, and what it stored. */
class Server {
  state = "none";
  code: string | null = null;
  redirect: string | null = null;
  submit: Ending["submit"] = null;
  consentVersion = "v1";
  /** What it says to the first request for a session; null: a session. */
  refusal: [number, unknown] | null = null;
  forget: number[] = [];
  feedback: string[] = [];
  /** Practice: how many a round, how many right to pass, and what the server says of each. */
  round = 9;
  passMark = 0;
  questions: Question[] = [];
  verdicts: Record<string, boolean> = {};
  /** Requests of pages of earlier tests, which may still be sending, carry another and are never answered. */
  readonly token = `t${crypto.randomUUID()}`;
  readonly log = new Map<number, LogEntry>();
  readonly calls: string[] = [];
  readonly bodies: Record<string, unknown>[] = [];
  constructor(readonly trials: number) {}

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const credential = new Headers(init.headers).get("Authorization");
    if (credential && credential !== `Session ${this.token}`) return new Promise(() => undefined);
    this.calls.push(`${init.method} ${path}`);
    const body = init.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    this.bodies.push(body);
    const [status, reply] = this.#reply(path, body);
    return new Response(JSON.stringify(reply), { status });
  };

  get responses(): Record<string, unknown>[] {
    return [...this.log.values()].filter((entry) => entry.kind === "response").map((entry) => entry.payload);
  }

  get answered(): Set<unknown> {
    return new Set(this.responses.map((payload) => payload.presentation));
  }

  get screenedOutBy(): string {
    if (this.state !== "screened_out") return "";
    return this.log.size > 0 ? "practice" : "device";
  }

  #reply(path: string, body: Record<string, unknown>): [number, unknown] {
    const id = { session_id: "s1", study: "demo" };
    switch (path.split("?")[0]) {
      case "/api/studies/demo/":
        return [200, { ...STUDY, consent_version: this.consentVersion }];
      case "/api/sessions/":
        if (this.refusal) return this.refusal;
        this.state = body.is_small_touch_device ? "screened_out" : "created";
        this.code = body.is_small_touch_device ? "OUT-2" : null;
        return [201, { token: this.token, session_id: "s1", state: this.state }];
      case "/api/sessions/me/":
        return [200, { ...id, state: this.state, screened_out_by: this.screenedOutBy, ...this.#ending() }];
      case "/api/sessions/me/consent/":
        if (body.consent_version !== this.consentVersion)
          return [409, { code: "consent_changed", detail: "" }];
        this.state = body.agreed ? "consented" : "refused";
        this.code = body.agreed ? null : "NO-CONSENT";
        return [200, { state: this.state, ...this.#ending() }];
      case "/api/sessions/me/manifest/":
        return [200, { ...id, ...this.#manifest() }];
      case "/api/sessions/me/log/":
        return [200, this.#store(body.entries as LogEntry[])];
      case "/api/sessions/me/finish/":
        return [200, this.#finish(body.last_seq as number)];
    }
    return [404, { code: "not_found", detail: path }];
  }

  #manifest() {
    const presentations = Array.from({ length: this.trials }, (_, n) => ({
      id: `p${n}`,
      position: n,
      block: this.feedback.length > 0 && this.feedback.indexOf(`p${n}`) < 0 ? 9 : Math.floor(n / this.round),
      format: "two_afc",
      attempt: 1,
      references: [{ index: 0, image: `/images/r${n}.png` }],
      options: [
        { position: 1, image: `/images/b${n}.png`, label: null },
        { position: 0, image: `/images/a${n}.png`, label: null },
      ],
      answered: this.answered.has(`p${n}`),
      break_before: false,
      feedback: this.feedback.includes(`p${n}`),
      correct: null,
    }));
    const settings = {
      fixation_ms: 0,
      time_limit_ms: null,
      image_frames: null,
      reference_ms: null,
      mask_ms: 0,
      confidence_levels: null,
      image_scaling: "smooth",
      pass_mark: this.passMark,
    };
    const next_seq = this.log.size + 1;
    const questionnaire_open = this.questions.length > 0;
    const { state, questions } = this;
    const asked = { questions, questionnaire_open };
    return { state, study_version: 1, next_seq, image_px: 96, settings, presentations, ...asked };
  }

  #store(entries: LogEntry[]) {
    this.state = "running";
    for (const entry of entries) this.log.set(entry.seq, entry);
    const feedback = Object.fromEntries(
      this.feedback.map((id) => [id, { correct: this.verdicts[id] ?? true }]),
    );
    return { acknowledged: entries.map((entry) => entry.seq), next_seq: 1, feedback };
  }

  #finish(lastSeq: number) {
    for (const seq of this.forget.splice(0)) this.log.delete(seq);
    const missing_seqs = [];
    for (let seq = 1; seq <= lastSeq; seq += 1) if (!this.log.has(seq)) missing_seqs.push(seq);
    const all = Array.from({ length: this.trials }, (_, n) => `p${n}`);
    const unanswered = all.filter((id) => !this.answered.has(id) && !this.feedback.includes(id));
    if (missing_seqs.length || unanswered.length) return { complete: false, missing_seqs, unanswered };
    this.state = "finished";
    this.code = "DONE-1";
    return { complete: true, ...this.#ending() };
  }

  #ending(): Ending {
    const isOver = this.code !== null;
    return {
      completion_code: this.code,
      redirect_url: isOver ? this.redirect : null,
      submit: isOver ? this.submit : null,
      withdraw_url: isOver ? "https://here.example/withdraw/1-2/" : null,
    };
  }
}

let store: LogStore;
let stores = 0;

beforeEach(async () => {
  furnishBrowser();
  stores += 1;
  store = await openStore(`walk-${stores}`);
});

/** Opens the page (again): a new document with the same browser storage. */
function open(server: Server, study: Study = STUDY, search = ""): void {
  vi.stubGlobal("fetch", server.fetch);
  const app = document.createElement("div");
  document.body.replaceChildren(app);
  void new SurveySession(app, study, store, search).run();
}

function heading(text: string): Promise<unknown> {
  return until(() => document.querySelector("h1")?.textContent === text);
}

async function choose(name: string): Promise<void> {
  (await until(() => button(name))).click();
}

/** Answers the trial that asks about the n-th reference. */
async function answer(n: number, key: string): Promise<void> {
  await until(() => document.querySelector(`[data-phase=shown] img[src="/images/r${n}.png"]`));
  await until(() => {
    press(key);
    return !document.querySelector(`[data-phase=shown] img[src="/images/r${n}.png"]`);
  });
}

async function toTrials(): Promise<void> {
  await choose("Start");
  await choose("I agree");
  await choose("Continue");
}

function code(): Promise<string | null> {
  return until(() => document.querySelector("[data-testid=completion-code]")).then(
    (shown) => shown.textContent,
  );
}

describe("the walk", () => {
  it("goes from the welcome to the code, and asks for a session only after the click", async () => {
    const server = new Server(3);
    open(server, STUDY, "?PROLIFIC_PID=abc&mode=pilot");
    await until(() => button("Start"));
    expect(server.calls).toEqual([]);
    await toTrials();
    await answer(0, "f");
    await answer(1, "j");
    await answer(2, "1");
    expect(await code()).toBe("DONE-1");
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
    open(new Server(1));
    await toTrials();
    await until(() => document.querySelector("[data-phase=shown]"));
    const sources = [...document.querySelectorAll("button img")].map((image) => image.getAttribute("src"));
    expect(sources).toEqual(["/images/a0.png", "/images/b0.png"]);
  });

  it("says after the researcher's text what the session's format asks", async () => {
    open(new Server(1));
    await choose("Start");
    await choose("I agree");
    await heading("What to do");
    const text = document.querySelector(".iri-page")?.textContent;
    expect(text).toMatch(/^What to doChooseLook at the image above.*Click or tap what you choose\./);
    expect(text).not.toContain("For every image above");
  });

  it("ends kindly with its own code after a refusal, without asking for images", async () => {
    const server = new Server(3);
    open(server);
    await choose("Start");
    await choose("I do not agree");
    expect(await code()).toBe("NO-CONSENT");
    expect(document.body.textContent).toContain("Bye");
    expect(server.calls).not.toContain("GET /api/sessions/me/manifest/");
  });

  it("shows the consent again when its text has changed", async () => {
    const server = new Server(1);
    server.consentVersion = "v2";
    open(server);
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
    open(server);
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
    open(server);
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
    open(server);
    await toTrials();
    await heading("First, some practice");
    await choose("Continue");
    await answer(0, "f");
    Object.assign(server, { state: "screened_out", code: "OUT-1" });
    await heading("Not quite.");
    await choose("Continue");
    expect(await code()).toBe("OUT-1");
    expect(document.body.textContent).toContain("You cannot take part");
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
    open(server);
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
    open(server);
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
    open(server);
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
    open(server, { ...STUDY, accepting: false, status: "closed" });
    await until(() => document.querySelector("h1")?.textContent === "This study is closed");
    expect(server.calls).toEqual([]);
  });
});

describe("after a reload", () => {
  it("the walk goes on at the next unanswered trial; the interrupted one comes at the end", async () => {
    const server = new Server(4);
    open(server);
    await toTrials();
    await answer(0, "f");
    await until(() => document.querySelector('[data-phase=shown] img[src="/images/r1.png"]'));
    await until(() => server.answered.has("p0"));
    open(server);
    await until(() => document.querySelector("h1")?.textContent === "Welcome back");
    await new Promise((resolve) => setTimeout(resolve, 50));
    open(server);
    await choose("Continue");
    for (const n of [2, 3, 1]) await answer(n, "j");
    expect(await code()).toBe("DONE-1");
    expect(server.responses.map((payload) => payload.presentation)).toEqual(["p0", "p2", "p3", "p1"]);
    expect(server.calls.filter((call) => call === "POST /api/sessions/").length).toBe(1);
    const events = [...server.log.values()].map((entry) => entry.payload);
    expect(events.filter((payload) => payload.event === "trial_interrupted")).toEqual([
      { event: "trial_interrupted", presentation: "p1" },
    ]);
  });

  it("a finished session shows its code, and nothing of the answers stays in the browser", async () => {
    const server = new Server(1);
    open(server);
    await toTrials();
    await answer(0, "f");
    await code();
    expect(await store.entries("s1")).toEqual([]);
    open(server);
    expect(await code()).toBe("DONE-1");
  });
});

describe("an error that trying again cannot mend", () => {
  it("ends the walk with the server's reason instead of leaving a dead button", async () => {
    const server = new Server(1);
    vi.stubGlobal("fetch", async (path: string, init: RequestInit) =>
      path === "/api/sessions/"
        ? new Response(JSON.stringify({ code: "study_closed", detail: "" }), { status: 403 })
        : server.fetch(path, init),
    );
    const app = document.createElement("div");
    document.body.replaceChildren(app);
    void new SurveySession(app, STUDY, store, "").run();
    await choose("Start");
    const alert = await until(() => document.querySelector(".iri-page-error:not(:empty)"));
    expect(alert.textContent).toContain("does not take new participants");
    expect(button("Start")?.getAttribute("aria-disabled")).toBe("false");
  });

  it("of the manifest reaches the caller", async () => {
    const server = new Server(1);
    vi.stubGlobal("fetch", async (path: string, init: RequestInit) =>
      path.endsWith("/manifest/")
        ? new Response(JSON.stringify({ code: "not_consented", detail: "no" }), { status: 403 })
        : server.fetch(path, init),
    );
    const app = document.createElement("div");
    document.body.replaceChildren(app);
    const done = new SurveySession(app, STUDY, store, "").run();
    const failed = expect(done).rejects.toThrow("not_consented: no");
    await choose("Start");
    await choose("I agree");
    await failed;
  });
});

describe("a phone where the study takes none", () => {
  const BLOCKING: Study = { ...STUDY, policy: { ...STUDY.policy, mobile: "block" } };

  beforeEach(() => pointWith("coarse"));

  function pointWith(pointer: "coarse" | "fine"): void {
    window.matchMedia = (query: string) =>
      ({ matches: query === `(pointer: ${pointer})`, media: query }) as MediaQueryList;
  }

  it("is refused with its code, and the server is told once, after a reload too", async () => {
    const server = new Server(1);
    for (let visit = 0; visit < 2; visit += 1) {
      open(server, BLOCKING);
      await heading("Please use a computer");
      expect(await code()).toBe("OUT-2");
      expect(button("Start")).toBeUndefined();
    }
    const starts = server.bodies.filter((body) => body.study === "demo");
    expect(starts.map((body) => body.is_small_touch_device)).toEqual([true]);
  });

  it("is refused without a code where the server makes no session", async () => {
    const server = new Server(1);
    server.refusal = [403, { code: "device_refused", detail: "" }];
    open(server, BLOCKING);
    await heading("Please use a computer");
    expect(document.body.textContent).toContain("open this link on a laptop");
    expect(document.querySelector("[data-testid=completion-code]")).toBeNull();
  });

  it("begins once it is no such device any more", async () => {
    const server = new Server(1);
    open(server, BLOCKING);
    await heading("Please use a computer");
    pointWith("fine");
    open(server, BLOCKING);
    await toTrials();
    await answer(0, "f");
    expect(await code()).toBe("DONE-1");
  });
});

describe("a preview", () => {
  it("says that nothing is kept, and begins anew after its end", async () => {
    const server = new Server(1);
    for (let visit = 0; visit < 2; visit += 1) {
      open(server, STUDY, "?mode=preview&ticket=T");
      expect(document.querySelector("aside")?.textContent).toContain("nothing that you answer is kept");
      server.log.clear();
      server.code = null;
      await toTrials();
      await answer(0, "f");
      expect(await code()).toBe("DONE-1");
    }
    const starts = server.bodies.filter((body) => body.study === "demo");
    expect(starts.map((body) => [body.mode, body.recruitment])).toEqual([
      ["preview", { ticket: "T" }],
      ["preview", { ticket: "T" }],
    ]);
  });
});

describe("recruiters", () => {
  const SUBMIT = { action: "https://www.mturk.com/mturk/externalSubmit", fields: { assignmentId: "A1" } };

  it("a preview on Mechanical Turk asks to accept the HIT, and asks the server for nothing", async () => {
    const server = new Server(1);
    open(server, STUDY, "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H");
    await until(() => document.body.textContent?.includes("accept the HIT"));
    expect(button("Start")).toBeUndefined();
    expect(server.calls).toEqual([]);
  });

  it("the last page holds the form for Mechanical Turk", async () => {
    const server = new Server(1);
    server.submit = SUBMIT;
    open(server, STUDY, "?assignmentId=A1&workerId=W");
    await toTrials();
    await answer(0, "f");
    await code();
    const form = button("Submit the HIT")?.form;
    expect(document.querySelector('a[href="https://here.example/withdraw/1-2/"]')).toBeTruthy();
    expect(form?.method).toBe("post");
    expect(form?.getAttribute("action")).toBe(SUBMIT.action);
    expect(Object.fromEntries(new FormData(form as HTMLFormElement))).toEqual(SUBMIT.fields);
  });

  it("whoever declines gets the way back with its own code, after a reload too", async () => {
    const server = new Server(1);
    server.redirect = "https://app.prolific.com/submissions/complete?cc=NO-CONSENT";
    open(server);
    await choose("Start");
    await choose("I do not agree");
    for (let visit = 0; visit < 2; visit += 1) {
      expect(await code()).toBe("NO-CONSENT");
      const back = document.querySelector<HTMLAnchorElement>("a.button-link");
      expect(back?.getAttribute("href")).toBe(server.redirect);
      open(server);
    }
  });
});

describe("the end", () => {
  it("waits until the server has everything, sending again what it lacks", async () => {
    const server = new Server(2);
    server.forget = [3, 4];
    open(server);
    await toTrials();
    await answer(0, "f");
    await answer(1, "j");
    expect(await code()).toBe("DONE-1");
    expect(server.answered).toEqual(new Set(["p0", "p1"]));
  });
});
