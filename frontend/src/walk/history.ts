import type { Manifest } from "../api";
import type { Outbox } from "../transport/outbox";
import type { StoredEntry } from "../transport/store";

/** What of a session lies behind: from the browser's log and from the server. */
export interface History {
  answered: Set<string>;
  /** Presentations that were begun and never answered. */
  interrupted: Set<string>;
  /** By presentation: how often it was begun. */
  attempts: Map<string, number>;
}

export function historyOf({ presentations }: Manifest, kept: readonly StoredEntry[]): History {
  const answered = new Set(presentationsIn(kept, "response"));
  for (const presentation of presentations) if (presentation.answered) answered.add(presentation.id);
  const interrupted = new Set(presentationsIn(kept, "event").filter((id) => !answered.has(id)));
  return { answered, interrupted, attempts: startedCounts(kept) };
}

/** Notes in the log which trials were interrupted since it was last noted. */
export function noteInterruptions(log: Outbox, { interrupted }: History, kept: readonly StoredEntry[]): void {
  for (const presentation of interrupted) {
    if (lastEvent(kept, presentation) !== "trial_started") continue;
    log.append("event", { event: "trial_interrupted", presentation }, true);
  }
}

function presentationsIn(entries: readonly StoredEntry[], kind: StoredEntry["kind"]): string[] {
  return entries.flatMap(({ kind: found, payload }) =>
    found === kind && typeof payload.presentation === "string" ? [payload.presentation] : [],
  );
}

function lastEvent(entries: readonly StoredEntry[], presentation: string): unknown {
  const events = entries.filter(
    ({ kind, payload }) => kind === "event" && payload.presentation === presentation,
  );
  return events.at(-1)?.payload.event;
}

function startedCounts(entries: readonly StoredEntry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind, payload } of entries) {
    if (kind !== "event" || payload.event !== "trial_started") continue;
    const presentation = String(payload.presentation);
    counts.set(presentation, (counts.get(presentation) ?? 0) + 1);
  }
  return counts;
}
