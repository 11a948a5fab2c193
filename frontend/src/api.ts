/** The server's survey API: types and one call each. */

import type { Scaling } from "./layout";
import type { SurveyLink } from "./link";

export interface StudyTexts {
  welcome: string;
  consent: string;
  instructions: string;
  debrief: string;
  refused: string;
  /** These may be empty: then the page has words of its own. */
  practice: string;
  practice_failed: string;
  break_text: string;
  full: string;
  phone_refused: string;
  paused: string;
  closed: string;
}

export interface Study {
  slug: string;
  title: string;
  status: "draft" | "open" | "paused" | "closed";
  recruiter: "open" | "single_use" | "prolific" | "mturk";
  accepting: boolean;
  /** As many as wanted have taken part. */
  full: boolean;
  /** What starting by this link would be refused with, or empty; and whether a session would go on. */
  link: { fault: string; is_known: boolean };
  /** The study's own first. */
  languages: string[];
  /** The one in which `texts` are. */
  language: string;
  minutes: number;
  /** Whom participants can ask; empty: nobody is named. */
  contact: string;
  pay: { amount: string; currency: string } | null;
  /** Edge of every image of the study, in image pixels. */
  image_px: number;
  texts: StudyTexts;
  consent_version: string;
  policy: { mobile: "allow" | "warn" | "block"; keyboard_shortcuts: boolean };
}

export type Mode = "real" | "pilot" | "preview";

export type SessionState =
  | "created"
  | "consented"
  | "screened_out"
  | "refused"
  | "running"
  | "finished"
  | "dropped"
  | "withdrawn";

export interface CreatedSession {
  token: string;
  session_id: string;
  state: SessionState;
}

/** What a participant takes back to where they came from; all null before the end. */
export interface Ending {
  completion_code: string | null;
  redirect_url: string | null;
  /** The form that ends an assignment on Mechanical Turk. */
  submit: { action: string; fields: Record<string, string> } | null;
  /** The participant's own address for taking the answers back; null where the study offers none. */
  withdraw_url: string | null;
}

export interface SessionStatus extends Ending {
  session_id: string;
  state: SessionState;
  /** Empty in all other states. */
  screened_out_by: "" | "practice" | "device";
  /** The number that the next entry of the log may have. */
  next_seq: number;
  study: string;
}

export type Format = "two_afc" | "matching" | "classification" | "odd_one_out";

export interface Presentation {
  id: string;
  position: number;
  /** Part of the session between two breaks; every round of practice is one. */
  block: number;
  format: Format;
  attempt: number;
  references: { index: number; image: string | null }[];
  options: { position: number; image: string | null; label: string | null }[];
  answered: boolean;
  break_before: boolean;
  /** Practice: the server says whether the answer was right. */
  feedback: boolean;
  /** Its verdict, once there is one. */
  correct: boolean | null;
}

export interface Question {
  name: string;
  kind: "text" | "long_text" | "number" | "scale" | "choice" | "choices";
  label: string;
  /** Pairs of value and label. */
  choices: [string, string][];
  minimum: number | null;
  maximum: number | null;
  is_required: boolean;
}

export interface Manifest {
  session_id: string;
  state: SessionState;
  study_version: number;
  /** Highest sequence number up to which the server holds the log without a gap, plus one. */
  next_seq: number;
  image_px: number;
  questions: Question[];
  /** Whether the questions wait for their answers. */
  questionnaire_open: boolean;
  settings: {
    fixation_ms: number;
    time_limit_ms: number | null;
    image_frames: number | null;
    reference_ms: number | null;
    mask_ms: number;
    confidence_levels: number | null;
    image_scaling: Scaling;
    /** Right answers that a round of practice needs; 0: none. */
    pass_mark: number;
  };
  presentations: Presentation[];
}

export type EntryKind = "response" | "event" | "page" | "device" | "questionnaire";

export interface LogEntry {
  seq: number;
  kind: EntryKind;
  payload: Record<string, unknown>;
}

export interface LogReply {
  acknowledged: number[];
  next_seq: number;
  feedback?: Record<string, { correct: boolean }>;
}

export type FinishReply =
  | { complete: false; missing_seqs: number[]; unanswered: string[]; questionnaire_open: boolean }
  | ({ complete: true } & Ending);

/** The server answered, and said no. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(`${code}: ${detail}`);
  }

  /** Whether the same request may succeed later, unchanged. */
  get isTemporary(): boolean {
    return this.status >= 500 || [408, 425, 429].includes(this.status);
  }
}

/** No answer came: no connection, or not in time. */
export class ConnectionError extends Error {
  override name = "ConnectionError";
}

export function isTemporary(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof ApiError && error.isTemporary);
}

const TIMEOUT_MS = 20_000;

interface RequestOptions {
  token?: string;
  body?: unknown;
  keepalive?: boolean;
}

async function request<T>(method: "GET" | "POST", path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.token) headers.Authorization = `Session ${options.token}`;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(path, {
      method,
      headers,
      // The token is the only credential: a researcher's login in the same browser stays out of it.
      credentials: "omit",
      cache: "no-store",
      signal: stop.signal,
      keepalive: options.keepalive ?? false,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await response.text();
    if (!response.ok) throw apiError(response.status, text);
    return JSON.parse(text) as T;
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ConnectionError(`${method} ${path}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

function apiError(status: number, text: string): ApiError {
  try {
    const body = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return new ApiError(status, String(body.code ?? `http_${status}`), String(body.detail ?? ""));
  } catch {
    // A proxy's error page is not JSON.
    return new ApiError(status, `http_${status}`, "");
  }
}

/** The study with its texts in `language`, or in the server's first choice, as this link may see it. */
export function getStudy(
  slug: string,
  language: string | null,
  { mode, ticket, recruitment }: Pick<SurveyLink, "mode" | "ticket" | "recruitment">,
): Promise<Study> {
  const wanted = new URLSearchParams(whoComes(recruitment));
  if (language) wanted.set("language", language);
  if (mode === "pilot") wanted.set("mode", mode);
  if (ticket) wanted.set("ticket", ticket);
  const query = wanted.size > 0 ? `?${wanted}` : "";
  return request("GET", `/api/studies/${encodeURIComponent(slug)}/${query}`);
}

/** What of a link says who comes. No id is longer than what is sent of it; what is, is refused all the same. */
function whoComes(recruitment: SurveyLink["recruitment"]): [string, string][] {
  return WHO_COMES.flatMap((name) => {
    const given = recruitment[name];
    return given === undefined ? [] : [[name, given.slice(0, 120)]];
  });
}

const WHO_COMES = [
  ...["participant", "link", "PROLIFIC_PID", "STUDY_ID", "SESSION_ID"],
  ...["workerId", "assignmentId", "hitId", "turkSubmitTo"],
];

export function createSession(body: {
  study: string;
  mode: Mode;
  language: string;
  recruitment: Record<string, string>;
  is_small_touch_device: boolean;
}): Promise<CreatedSession> {
  return request("POST", "/api/sessions/", { body });
}

/** The calls of one session. */
export class SessionApi {
  constructor(readonly token: string) {}

  status(): Promise<SessionStatus> {
    return request("GET", "/api/sessions/me/", { token: this.token });
  }

  consent(agreed: boolean, consentVersion: string): Promise<{ state: SessionState } & Ending> {
    const body = { agreed, consent_version: consentVersion };
    return request("POST", "/api/sessions/me/consent/", { token: this.token, body });
  }

  manifest(): Promise<Manifest> {
    return request("GET", "/api/sessions/me/manifest/", { token: this.token });
  }

  log(entries: readonly LogEntry[], keepalive: boolean): Promise<LogReply> {
    return request("POST", "/api/sessions/me/log/", { token: this.token, body: { entries }, keepalive });
  }

  finish(lastSeq: number): Promise<FinishReply> {
    return request("POST", "/api/sessions/me/finish/", { token: this.token, body: { last_seq: lastSeq } });
  }
}
