import { beforeEach, describe, expect, it } from "vitest";
import type { Study } from "../src/api";
import { button, until } from "./browser";
import { Server, STUDY } from "./server";
import { answer, choose, code, heading, keptEntries, open, toTrials } from "./walker";

describe("after a reload", () => {
  it("the walk goes on at the next unanswered trial; the interrupted one comes at the end", async () => {
    const server = new Server(4);
    void open(server);
    await toTrials();
    await answer(0, "f");
    await until(() => document.querySelector('[data-phase=shown] img[src="/images/r1.png"]'));
    await until(() => server.answered.has("p0"));
    void open(server);
    await until(() => document.querySelector("h1")?.textContent === "Welcome back");
    await new Promise((resolve) => setTimeout(resolve, 50));
    void open(server);
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

  it("an absent server is told of once, however often it is asked", async () => {
    const server = new Server(1);
    void open(server);
    await toTrials();
    let tries = 0;
    const fetch = async (path: string, init: RequestInit) => {
      tries += 1;
      if (tries <= 3) throw new TypeError("no connection");
      return server.fetch(path, init);
    };
    void open({ fetch });
    const notice = await until(() => document.querySelector(".notice"));
    const said: string[] = [];
    new MutationObserver(() => said.push(notice.textContent ?? "")).observe(notice, { childList: true });
    await until(() => {
      window.dispatchEvent(new Event("online"));
      return button("Continue");
    });
    expect(tries).toBeGreaterThan(3);
    expect(said.filter(Boolean)).toHaveLength(1);
    expect(said[0]).toContain("cannot be reached");
  });

  it("a finished session shows its code, and nothing of the answers stays in the browser", async () => {
    const server = new Server(1);
    void open(server);
    await toTrials();
    await answer(0, "f");
    await code();
    expect(await keptEntries()).toEqual([]);
    void open(server);
    expect(await code()).toBe("DONE-1");
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
      void open(server, BLOCKING);
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
    void open(server, BLOCKING);
    await heading("Please use a computer");
    expect(document.body.textContent).toContain("open this link on a laptop");
    expect(document.querySelector("[data-testid=completion-code]")).toBeNull();
  });

  it("begins once it is no such device any more", async () => {
    const server = new Server(1);
    void open(server, BLOCKING);
    await heading("Please use a computer");
    pointWith("fine");
    void open(server, BLOCKING);
    await toTrials();
    await answer(0, "f");
    expect(await code()).toBe("DONE-1");
  });
});

describe("a preview", () => {
  it("says that nothing is kept, and begins anew after its end", async () => {
    const server = new Server(1);
    for (let visit = 0; visit < 2; visit += 1) {
      void open(server, STUDY, "?mode=preview&ticket=T");
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
    void open(server, STUDY, "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H");
    await until(() => document.body.textContent?.includes("accept the HIT"));
    expect(button("Start")).toBeUndefined();
    expect(server.calls).toEqual([]);
  });

  it("the last page holds the form for Mechanical Turk", async () => {
    const server = new Server(1);
    server.submit = SUBMIT;
    void open(server, STUDY, "?assignmentId=A1&workerId=W");
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
    void open(server);
    await choose("Start");
    await choose("I do not agree");
    for (let visit = 0; visit < 2; visit += 1) {
      expect(await code()).toBe("NO-CONSENT");
      const back = document.querySelector<HTMLAnchorElement>("a.button-link");
      expect(back?.getAttribute("href")).toBe(server.redirect);
      void open(server);
    }
  });
});
