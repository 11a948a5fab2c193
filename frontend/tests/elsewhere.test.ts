import { describe, expect, it } from "vitest";
import { button, until } from "./browser";
import { Server, STUDY } from "./server";
import { answer, choose, heading, keptEntries, open, toTrials } from "./walker";

const LINK = "?PROLIFIC_PID=abc";

async function toSecondTrial(server: Server, search: string): Promise<void> {
  void open(server, STUDY, search);
  await toTrials();
  await answer(0, "f");
  await until(() => document.querySelector('[data-phase=shown] img[src="/images/r1.png"]'));
  await until(() => server.answered.has("p0"));
  server.isElsewhere = true;
}

describe("a session that goes on in another browser", () => {
  it("freezes this page in words of the participant's, and keeps what was not sent as a file", async () => {
    const server = new Server(3);
    await toSecondTrial(server, LINK);
    await answer(1, "f");
    await heading("The survey goes on elsewhere");
    expect(document.querySelector(".iri-trial")).toBeNull();
    const words = document.body.textContent;
    expect(words).not.toContain("authentication_failed");
    expect(words).not.toContain("did not accept");
    expect(words).toMatch(/\d entries of this browser have not reached the server/);
    expect(button("Download my answers")).toBeTruthy();
    expect((await keptEntries()).some(({ acknowledged }) => !acknowledged)).toBe(true);
  });

  it("is taken back by the same link", async () => {
    const server = new Server(3);
    await toSecondTrial(server, LINK);
    await answer(1, "f");
    await choose("Go on here instead");
    await until(() => server.calls.filter((call) => call === "POST /api/sessions/").length === 2);
    expect(server.bodies.filter((body) => body.recruitment).map((body) => body.recruitment)).toEqual([
      { PROLIFIC_PID: "abc" },
      { PROLIFIC_PID: "abc" },
    ]);
  });

  it("cannot be taken back by a link that names nobody", async () => {
    const server = new Server(3);
    await toSecondTrial(server, "");
    await answer(1, "f");
    await heading("This session has ended");
    expect(button("Go on here instead")).toBeUndefined();
  });

  it("is told at the consent, too", async () => {
    const server = new Server(1);
    void open(server, STUDY, LINK);
    await choose("Start");
    await until(() => button("I agree"));
    server.isElsewhere = true;
    await choose("I agree");
    await heading("The survey goes on elsewhere");
  });
});
