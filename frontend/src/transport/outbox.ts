import { ApiError, ConnectionError, type EntryKind, isTemporary, type LogEntry, type LogReply } from "../api";
import { backoffMs, pause } from "./backoff";
import type { LogStore, StoredEntry } from "./store";

/** The server takes at most this many entries in one request. */
const BATCH = 100;
/** Browsers refuse `keepalive` requests whose bodies exceed 64 KiB in all. */
const KEEPALIVE_BYTES = 60_000;
/** An entry that need not hurry waits this long for a response to travel with. */
const HOLD_MS = 2_000;
/** Refusals of what was sent, not of who sent it: other entries may yet be taken. */
const ENTRY_REFUSALS: readonly number[] = [400, 409, 413, 422];

export interface SaveState {
  /** Entries that the server has not acknowledged. */
  waiting: number;
  /** Since when the oldest of them has been on its way (performance.now); null: none is. */
  waitingSince: number | null;
  /** Whether the last try failed for want of a connection. */
  isTroubled: boolean;
  /** Why the server will not take the entries; null while it does. */
  refusal: Error | null;
}

type Send = (entries: readonly LogEntry[], keepalive: boolean) => Promise<LogReply>;

/**
 * The participant's append-only log on its way to the server.
 *
 * Each entry gets the next sequence number, is written to the browser's database, and is sent, in order, until
 * the server acknowledges it. The server takes a repeated entry once, so sending again is always safe.
 */
export class Outbox {
  readonly #pending = new Map<number, LogEntry>();
  /** When an entry was first due to be sent; one that is held back is not due yet. */
  readonly #due = new Map<number, number>();
  readonly #feedback = new Map<string, boolean>();
  readonly #listeners = new Set<() => void>();
  #writes: Promise<unknown> = Promise.resolve();
  #nextSeq: number;
  #isSending = false;
  #isTroubled = false;
  #refusal: Error | null = null;
  /** Entries of an earlier visit: meanwhile the session may have gone on in another browser. */
  readonly #earlier = new Set<number>();
  readonly #renumbered = new Set<number>();
  /** Entries refused one by one; they wait for `retry`, the others go on. */
  readonly #refused = new Set<number>();
  #batchSize = BATCH;
  #isStopped = false;
  #held: ReturnType<typeof setTimeout> | null = null;

  private constructor(
    private readonly store: LogStore,
    readonly session: string,
    private readonly send: Send,
    kept: readonly StoredEntry[],
  ) {
    for (const entry of kept) {
      if (entry.acknowledged) continue;
      this.#pending.set(entry.seq, bare(entry));
      this.#earlier.add(entry.seq);
    }
    this.#nextSeq = (kept.at(-1)?.seq ?? 0) + 1;
  }

  /** Takes up the log where this browser left it, and sends on. */
  static async open(store: LogStore, session: string, send: Send): Promise<Outbox> {
    const outbox = new Outbox(store, session, send, await store.entries(session));
    outbox.#pump();
    return outbox;
  }

  get state(): SaveState {
    return {
      waiting: this.#pending.size,
      waitingSince: this.#due.size === 0 ? null : Math.min(...this.#due.values()),
      isTroubled: this.#isTroubled,
      refusal: this.#refusal,
    };
  }

  get lastSeq(): number {
    return this.#nextSeq - 1;
  }

  /** The server's log may be longer than this browser's: a session resumed elsewhere. */
  continueFrom(nextSeq: number): void {
    this.#nextSeq = Math.max(this.#nextSeq, nextSeq);
  }

  /** Adds an entry. `canWait`: it may travel with the next response instead of at once. */
  append(kind: EntryKind, payload: Record<string, unknown>, canWait = false): LogEntry {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    return this.#add({ seq, kind, payload }, canWait);
  }

  /** Sends again what the server says it lacks; a number that this browser lacks, too, becomes a named gap. */
  async resend(seqs: readonly number[]): Promise<void> {
    const kept = new Map((await this.entries()).map((entry) => [entry.seq, entry]));
    for (const seq of seqs) {
      const entry = kept.get(seq);
      if (entry) this.#pending.set(seq, bare(entry));
      else this.#add({ seq, kind: "event", payload: { event: "gap" } }, true);
    }
    await this.store.setAcknowledged(this.session, seqs, false);
    this.#pump();
  }

  /** Tries again after a refusal. */
  retry(): void {
    this.#refusal = null;
    this.#refused.clear();
    this.#isStopped = false;
    this.#pump();
  }

  /** Sends nothing more: another tab has taken over. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Everything logged in this browser, sent or not. */
  async entries(): Promise<StoredEntry[]> {
    await this.#writes;
    return this.store.entries(this.session);
  }

  /** Resolves once the server has acknowledged all. A refusal keeps it waiting: `retry` may yet help. */
  async settled(): Promise<void> {
    this.#pump();
    await this.#until(() => this.#pending.size === 0);
    await this.#writes;
  }

  /** The server's verdict on a practice answer, once it comes. */
  async feedback(presentation: string): Promise<boolean> {
    await this.#until(() => this.#feedback.has(presentation));
    return this.#feedback.get(presentation) === true;
  }

  /** The page is being hidden and may not come back: one last request that outlives it. */
  flushOnHide(): void {
    if (this.#isStopped) return;
    const entries = withinBytes(this.#batch(), KEEPALIVE_BYTES);
    if (entries.length === 0) return;
    void this.send(entries, true).then(
      (reply) => this.#acknowledge(reply),
      () => undefined, // The entries stay pending; the pump sends them again.
    );
  }

  /** Calls back at every change of `state`; gives a function that stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #add(entry: LogEntry, canWait: boolean): LogEntry {
    // As the server will read it: what JSON cannot carry must not differ between two sendings.
    const kept = JSON.parse(JSON.stringify(entry)) as LogEntry;
    this.#pending.set(kept.seq, kept);
    const write = this.store.put({ ...kept, session: this.session, acknowledged: false });
    this.#write(write);
    if (canWait) this.#held ??= setTimeout(() => this.#pump(), HOLD_MS);
    else this.#pump();
    return kept;
  }

  #write(write: Promise<unknown>): void {
    // A full disk must not stop the survey: the entry is still in memory and on its way to the server.
    this.#writes = Promise.allSettled([this.#writes, write]);
  }

  #batch(): LogEntry[] {
    const sendable = [...this.#pending.values()].filter((entry) => !this.#refused.has(entry.seq));
    return sendable.sort((a, b) => a.seq - b.seq).slice(0, this.#batchSize);
  }

  #pump(): void {
    if (this.#held) clearTimeout(this.#held);
    this.#held = null;
    for (const seq of this.#pending.keys()) if (!this.#due.has(seq)) this.#due.set(seq, performance.now());
    this.#changed();
    if (!this.#isSending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    let failures = 0;
    for (let batch = this.#batch(); batch.length > 0 && !this.#isStopped; batch = this.#batch()) {
      try {
        await this.#acknowledge(await this.send(batch, false));
        failures = 0;
        this.#isTroubled = false;
      } catch (error) {
        if (isTemporary(error)) {
          failures += 1;
          this.#isTroubled = true;
        } else this.#refuse(batch, error);
      }
      this.#changed();
      if (failures > 0) await pause(backoffMs(failures));
    }
    this.#batchSize = BATCH;
    this.#isSending = false;
  }

  /** One bad entry must not hold up the good ones: after a refused batch, entries go one by one. */
  #refuse(batch: readonly LogEntry[], error: unknown): void {
    const isAboutEntries = error instanceof ApiError && ENTRY_REFUSALS.includes(error.status);
    if (isAboutEntries && batch.length > 1) {
      this.#batchSize = 1;
      return;
    }
    const [only] = batch;
    if (only && isAboutEntries && this.#makeWay(only, error.code)) return;
    this.#refusal = error instanceof Error ? error : new Error(String(error));
    if (isAboutEntries) for (const entry of batch) this.#refused.add(entry.seq);
    else this.#isStopped = true;
  }

  /** Whether the entry is from an earlier visit, and gave way to what another browser said meanwhile. */
  #makeWay(entry: LogEntry, code: string): boolean {
    if (!this.#earlier.delete(entry.seq)) return false;
    if (code === "conflict" && !this.#renumbered.delete(entry.seq)) this.#renumber(entry);
    else if (code === "already_answered") this.#setAside(entry);
    else return false;
    return true;
  }

  /** Another browser's entry has this number; what was said here is said under one of its own. */
  #renumber(entry: LogEntry): void {
    this.#drop(entry.seq);
    this.#write(this.#writes.then(() => this.store.forgetEntry(this.session, entry.seq)));
    const { seq } = this.append(entry.kind, entry.payload);
    this.#earlier.add(seq);
    this.#renumbered.add(seq);
  }

  /** The question was answered in another browser, which counts; what was answered here is still logged. */
  #setAside({ seq, payload }: LogEntry): void {
    this.#drop(seq);
    this.#add({ seq, kind: "event", payload: { event: "answered_elsewhere", answer: payload } }, false);
  }

  #drop(seq: number): void {
    this.#pending.delete(seq);
    this.#due.delete(seq);
  }

  async #acknowledge(reply: LogReply): Promise<void> {
    if (reply.acknowledged.length === 0) throw new ConnectionError("The server acknowledged nothing.");
    for (const seq of reply.acknowledged) {
      this.#drop(seq);
      this.#earlier.delete(seq);
    }
    for (const [presentation, verdict] of Object.entries(reply.feedback ?? {})) {
      this.#feedback.set(presentation, verdict.correct);
    }
    this.#write(this.#writes.then(() => this.store.setAcknowledged(this.session, reply.acknowledged, true)));
    this.#changed();
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        stop();
        resolve();
      };
      const stop = this.onChange(check);
      check();
    });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function bare(entry: StoredEntry): LogEntry {
  return { seq: entry.seq, kind: entry.kind, payload: entry.payload };
}

function withinBytes(entries: readonly LogEntry[], limit: number): LogEntry[] {
  const taken: LogEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    bytes += new TextEncoder().encode(JSON.stringify(entry)).length + 1;
    if (bytes > limit) break;
    taken.push(entry);
  }
  return taken;
}
