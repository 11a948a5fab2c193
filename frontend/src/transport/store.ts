import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { LogEntry } from "../api";

/** A log entry as this browser keeps it. Entries are only ever added; `acknowledged` is all that changes. */
export interface StoredEntry extends LogEntry {
  session: string;
  acknowledged: boolean;
}

/** What finds a session again after a reload. */
export interface StoredSession {
  /** Study, mode and recruiter's parameters of the link: see `sessionKey`. */
  key: string;
  token: string;
  session: string;
}

/** Where the log and the session's token survive a reload. */
export interface LogStore {
  /** Whether what is written outlives the page. */
  readonly isDurable: boolean;
  session(key: string): Promise<StoredSession | undefined>;
  keepSession(session: StoredSession): Promise<void>;
  forgetSession(key: string): Promise<void>;
  /** All entries of a session, by sequence number. */
  entries(session: string): Promise<StoredEntry[]>;
  put(entry: StoredEntry): Promise<void>;
  setAcknowledged(session: string, seqs: readonly number[], acknowledged: boolean): Promise<void>;
  /** What this number stood for is another browser's. */
  forgetEntry(session: string, seq: number): Promise<void>;
  /** Once the server holds everything, nothing of the answers stays in this browser. */
  forgetEntries(session: string): Promise<void>;
}

interface Schema extends DBSchema {
  sessions: { key: string; value: StoredSession };
  entries: { key: [string, number]; value: StoredEntry };
}

/** The browser's own database, or memory where the browser refuses one (private windows of some). */
export async function openStore(name = "irisurvey"): Promise<LogStore> {
  try {
    const database = await openDB<Schema>(name, 1, {
      upgrade(db) {
        db.createObjectStore("sessions", { keyPath: "key" });
        db.createObjectStore("entries", { keyPath: ["session", "seq"] });
      },
    });
    return new IndexedDbStore(database);
  } catch {
    // Reported to the participant through `isDurable`.
    return new MemoryStore();
  }
}

function entriesOf(session: string): IDBKeyRange {
  return IDBKeyRange.bound([session, 0], [session, Number.MAX_SAFE_INTEGER]);
}

class IndexedDbStore implements LogStore {
  readonly isDurable = true;

  constructor(private readonly database: IDBPDatabase<Schema>) {}

  session(key: string): Promise<StoredSession | undefined> {
    return this.database.get("sessions", key);
  }

  async keepSession(session: StoredSession): Promise<void> {
    await this.database.put("sessions", session);
  }

  async forgetSession(key: string): Promise<void> {
    await this.database.delete("sessions", key);
  }

  entries(session: string): Promise<StoredEntry[]> {
    return this.database.getAll("entries", entriesOf(session));
  }

  async put(entry: StoredEntry): Promise<void> {
    await this.database.put("entries", entry);
  }

  async setAcknowledged(session: string, seqs: readonly number[], acknowledged: boolean): Promise<void> {
    const transaction = this.database.transaction("entries", "readwrite");
    for (const seq of seqs) {
      const entry = await transaction.store.get([session, seq]);
      if (entry) await transaction.store.put({ ...entry, acknowledged });
    }
    await transaction.done;
  }

  async forgetEntry(session: string, seq: number): Promise<void> {
    await this.database.delete("entries", [session, seq]);
  }

  async forgetEntries(session: string): Promise<void> {
    await this.database.delete("entries", entriesOf(session));
  }
}

class MemoryStore implements LogStore {
  readonly isDurable = false;
  readonly #sessions = new Map<string, StoredSession>();
  readonly #entries = new Map<string, Map<number, StoredEntry>>();

  async session(key: string): Promise<StoredSession | undefined> {
    return this.#sessions.get(key);
  }

  async keepSession(session: StoredSession): Promise<void> {
    this.#sessions.set(session.key, session);
  }

  async forgetSession(key: string): Promise<void> {
    this.#sessions.delete(key);
  }

  async entries(session: string): Promise<StoredEntry[]> {
    return [...this.#of(session).values()].sort((a, b) => a.seq - b.seq);
  }

  async put(entry: StoredEntry): Promise<void> {
    this.#of(entry.session).set(entry.seq, entry);
  }

  async setAcknowledged(session: string, seqs: readonly number[], acknowledged: boolean): Promise<void> {
    const entries = this.#of(session);
    for (const seq of seqs) {
      const entry = entries.get(seq);
      if (entry) entries.set(seq, { ...entry, acknowledged });
    }
  }

  async forgetEntry(session: string, seq: number): Promise<void> {
    this.#of(session).delete(seq);
  }

  async forgetEntries(session: string): Promise<void> {
    this.#entries.delete(session);
  }

  #of(session: string): Map<number, StoredEntry> {
    const entries = this.#entries.get(session) ?? new Map<number, StoredEntry>();
    this.#entries.set(session, entries);
    return entries;
  }
}
