import type { Mode } from "./api";

/** What the survey's address says beside the study. */
export interface SurveyLink {
  mode: Mode;
  language: string | null;
  /** Lets a researcher preview the study. */
  ticket: string | null;
  /** All other parameters, as the recruiter wrote them. */
  recruitment: Record<string, string>;
}

export function readLink(search: string): SurveyLink {
  const { mode, lang, ...recruitment } = Object.fromEntries(new URLSearchParams(search));
  return {
    mode: mode === "pilot" || mode === "preview" ? mode : "real",
    language: lang ?? null,
    ticket: recruitment.ticket ?? null,
    recruitment,
  };
}

/** Whether Mechanical Turk shows the page to somebody who has not accepted the HIT. */
export function isMturkPreview({ recruitment }: SurveyLink): boolean {
  return recruitment.assignmentId === "ASSIGNMENT_ID_NOT_AVAILABLE";
}

/** Whether whoever opens the link anywhere goes on with the same session. */
export function namesSomebody({ recruitment }: SurveyLink): boolean {
  return ["link", "participant", "PROLIFIC_PID", "workerId"].some((name) => recruitment[name]);
}

/** Where this browser keeps the session: another recruiter's id in the link is another participant. */
export function sessionKey(slug: string, link: SurveyLink): string {
  const parameters = Object.entries(link.recruitment).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([slug, link.mode, parameters]);
}
