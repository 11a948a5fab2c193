import "fake-indexeddb/auto";
import { describe, expect, it, vi } from "vitest";
import { ApiError, ConnectionError, type LogEntry, type LogReply } from "../src/api";
import { backoffMs } from "../src/transport/backoff";
import { Outbox } from "../src/transport/outbox";
import { type LogStore, openStore } from "../src/transport/store";
import { until } from "./browser";

let names = 0;

function freshStore(): Promise<LogStore> {
  names += 1;
  return openStore(`test-${names}`);
}

/** A server that keeps entries once by number; each of `faults` spoils one request. */
function server(faults: (Error | "lose the reply")[] = []) {
  const stored = new Map<number, LogEntry>();
  const requests: { seqs: number[]; keepalive: boolean }[] = [];
  const send = async (entries: readonly LogEntry[], keepalive: boolean): Promise<LogReply> => {
    requests.push({ seqs: entries.map((entry) => entry.seq), keepalive });
    const fault = faults.shift();
    if (fault instanceof Error) throw fault;
    for (const entry of entries) stored.set(entry.seq, entry);
    if (fault) throw new ConnectionError("reply lost");
    return { acknowledged: entries.map((entry) => entry.seq), next_seq: stored.size + 1 };
  };
  return { stored, requests, send };
}

describe("the log", () => {
  it("is numbered from 1 and arrives in order", async () => {
    const { stored, requests, send } = server();
    const outbox = await Outbox.open(await freshStore(), "s", send);
    for (let answer = 0; answer < 5; answer += 1) outbox.append("response", { answer });
    await outbox.settled();
    expect([...stored.keys()]).toEqual([1, 2, 3, 4, 5]);
    expect(requests.flatMap((request) => request.seqs)).toEqual([1, 2, 3, 4, 5]);
    expect(outbox.state).toEqual({ waiting: 0, waitingSince: null, isTroubled: false, refusal: null });
  });

  it("travels in batches of at most one hundred", async () => {
    const { requests, send } = server();
    const outbox = await Outbox.open(await freshStore(), "s", send);
    for (let n = 0; n < 250; n += 1) outbox.append("event", { n }, true);
    await outbox.settled();
    expect(requests.map((request) => request.seqs.length)).toEqual([100, 100, 50]);
  });

  it("is sent again until it is acknowledged, and says how much waits", async () => {
    const faults = [new ConnectionError("down"), new ApiError(503, "busy", ""), "lose the reply" as const];
    const { stored, requests, send } = server(faults);
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.append("response", { answer: 1 });
    for (const tries of [1, 2, 3]) {
      await until(() => requests.length === tries && outbox.state.isTroubled);
      expect(outbox.state.waiting).toBe(1);
      window.dispatchEvent(new Event("online"));
    }
    await outbox.settled();
    expect(requests.length).toBe(4);
    expect(stored.size).toBe(1);
    expect(outbox.state.isTroubled).toBe(false);
  });

  it("goes on where it was after a reload", async () => {
    const store = await freshStore();
    const down = await Outbox.open(store, "s", () => new Promise<LogReply>(() => undefined));
    down.append("response", { answer: "a" });
    down.append("response", { answer: "b" });
    await down.entries();
    const { stored, send } = server();
    const reloaded = await Outbox.open(store, "s", send);
    reloaded.append("response", { answer: "c" });
    await reloaded.settled();
    expect([...stored.values()].map((entry) => entry.payload.answer)).toEqual(["a", "b", "c"]);
    expect([...stored.keys()]).toEqual([1, 2, 3]);
  });

  it("keeps what was acknowledged, so that a file of it is whole", async () => {
    const { send } = server();
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.append("response", { answer: 1 });
    await outbox.settled();
    expect(await outbox.entries()).toMatchObject([{ seq: 1, acknowledged: true }]);
  });

  it("continues the server's numbers in a browser that knows none", async () => {
    const { stored, send } = server();
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.continueFrom(8);
    outbox.append("response", {});
    await outbox.settled();
    expect([...stored.keys()]).toEqual([8]);
  });

  it("sends again what the server lacks, and names a gap that it cannot fill", async () => {
    const { stored, send } = server();
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.continueFrom(2);
    outbox.append("response", { answer: 1 });
    await outbox.settled();
    stored.clear();
    await outbox.resend([1, 2]);
    await outbox.settled();
    expect(stored.get(2)?.payload).toEqual({ answer: 1 });
    expect(stored.get(1)).toEqual({ seq: 1, kind: "event", payload: { event: "gap" } });
  });
});

describe("a refusal", () => {
  const conflict = new ApiError(409, "conflict", "Another answer is stored.");

  it("of one entry is shown, keeps it, and lets the others through", async () => {
    const stored = new Set<number>();
    const send = async (entries: readonly LogEntry[]): Promise<LogReply> => {
      if (entries.some((entry) => entry.payload.isBad)) throw conflict;
      for (const entry of entries) stored.add(entry.seq);
      return { acknowledged: entries.map((entry) => entry.seq), next_seq: 1 };
    };
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.append("response", {}, true);
    outbox.append("response", { isBad: true }, true);
    outbox.append("response", {});
    await until(() => outbox.state.refusal && outbox.state.waiting === 1);
    expect(outbox.state.refusal).toBe(conflict);
    expect([...stored]).toEqual([1, 3]);
    expect((await outbox.entries()).map((entry) => entry.acknowledged)).toEqual([true, false, true]);
  });

  it("can be tried again", async () => {
    const { stored, send } = server([conflict]);
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.append("response", {});
    await until(() => outbox.state.refusal);
    outbox.retry();
    await outbox.settled();
    expect(stored.size).toBe(1);
    expect(outbox.state.refusal).toBeNull();
  });

  it("of the session stops the sending and loses nothing", async () => {
    const { requests, send } = server([new ApiError(401, "unknown_session", "")]);
    const outbox = await Outbox.open(await freshStore(), "s", send);
    outbox.append("response", {});
    await until(() => outbox.state.refusal);
    outbox.append("response", {});
    expect(requests.length).toBe(1);
    expect((await outbox.entries()).length).toBe(2);
  });
});

describe("entries of an earlier visit", () => {
  it("go on under new numbers where another browser took theirs, and give way where it answered", async () => {
    const store = await freshStore();
    const before = await Outbox.open(store, "s", () => Promise.reject(new ApiError(401, "unknown", "")));
    for (const presentation of ["p2", "p1"]) before.append("response", { presentation });
    before.append("event", { event: "own" });
    await until(() => before.state.refusal);
    await before.entries();
    const { stored, send } = server();
    stored.set(1, { seq: 1, kind: "event", payload: { event: "of the other browser" } });
    const strict = async (entries: readonly LogEntry[], keepalive: boolean): Promise<LogReply> => {
      for (const { seq, payload } of entries) {
        if (stored.has(seq)) throw new ApiError(409, "conflict", "");
        if (payload.presentation === "p2") throw new ApiError(409, "already_answered", "");
      }
      return send(entries, keepalive);
    };
    const after = await Outbox.open(store, "s", strict);
    await after.settled();
    expect([...stored.values()].sort((a, b) => a.seq - b.seq).map(({ payload }) => payload)).toEqual([
      { event: "of the other browser" },
      { presentation: "p1" },
      { event: "own" },
      { event: "answered_elsewhere", answer: { presentation: "p2" } },
    ]);
    expect((await after.entries()).map(({ seq, acknowledged }) => [seq, acknowledged])).toEqual([
      [2, true],
      [3, true],
      [4, true],
    ]);
  });
});

describe("hiding the page", () => {
  it("sends what waits in one request that outlives it, within the browser's limit", async () => {
    const requests: { seqs: number[]; keepalive: boolean }[] = [];
    const outbox = await Outbox.open(await freshStore(), "s", (entries, keepalive) => {
      requests.push({ seqs: entries.map((entry) => entry.seq), keepalive });
      return new Promise(() => undefined);
    });
    outbox.append("response", { text: "x".repeat(40_000) });
    outbox.append("response", { text: "x".repeat(40_000) });
    outbox.flushOnHide();
    expect(requests.at(-1)).toEqual({ seqs: [1], keepalive: true });
  });
});

describe("a wait between tries", () => {
  it("doubles from half a second to half a minute, with jitter below", () => {
    expect([1, 2, 3, 7, 50].map((n) => backoffMs(n, () => 1))).toEqual([500, 1_000, 2_000, 30_000, 30_000]);
    expect(backoffMs(3, () => 0)).toBe(1_000);
  });
});

describe("without a database", () => {
  it("the log is kept in memory and says so", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const store = await openStore("none");
    vi.unstubAllGlobals();
    const { stored, send } = server();
    const outbox = await Outbox.open(store, "s", send);
    outbox.append("response", {});
    await outbox.settled();
    expect(store.isDurable).toBe(false);
    expect(stored.size).toBe(1);
  });
});
