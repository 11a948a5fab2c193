import { ApiError, isTemporary } from "../api";
import type { Strings } from "../i18n/strings";

/** Refusals that mean that the address is not the one that the participant was given. */
const LINK_FAULTS = new Set([
  "invalid_recruiter_id",
  "invalid_submit_address",
  "link_used",
  "no_preview",
  "recruiter_id_missing",
  "submission_taken",
  "unknown_link",
  "wrong_recruiter_study",
]);

/** What to say under a button whose request failed. What is no answer of the server is thrown on. */
export function explain(strings: Strings, error: unknown): string {
  if (isTemporary(error)) return strings.offlineRetry;
  // Nothing that the button could mend: whoever runs the walk says that it goes on elsewhere.
  if (!(error instanceof ApiError) || error.status === 401) throw error;
  if (error.code === "study_closed") return strings.closedText;
  if (error.code === "quota_full") return strings.fullText;
  if (error.code === "took_part_already") return strings.alreadyText;
  if (LINK_FAULTS.has(error.code)) return strings.linkText;
  return error.detail || error.code;
}
