import { ApiError, isTemporary } from "../api";
import type { Survey } from "./survey";

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
export function explain(survey: Survey, error: unknown): string {
  const { strings } = survey;
  if (isTemporary(error)) return strings.offlineRetry;
  // Nothing that the button could mend: whoever runs the walk says that it goes on elsewhere.
  if (!(error instanceof ApiError) || error.status === 401) throw error;
  if (error.code === "study_closed") return strings.closedText;
  if (error.code === "quota_full") return strings.fullText;
  if (error.code === "took_part_already" || LINK_FAULTS.has(error.code))
    return explainFault(survey, error.code);
  return error.detail || error.code;
}

/** What is wrong with the participant's link, and what to do about it. */
export function explainFault({ strings, study }: Survey, code: string): string {
  if (code === "took_part_already") return strings.alreadyText;
  return study.recruiter === "prolific" ? strings.prolificLinkText : strings.linkText;
}
