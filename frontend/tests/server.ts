import type { Ending, LogEntry, Manifest, Question, Study } from "../src/api";

export const STUDY: Study = {
  slug: "demo",
  title: "Alike?",
  status: "open",
  recruiter: "open",
  accepting: true,
  full: false,
  link: { fault: "", is_known: false },
  languages: ["en"],
  language: "en",
  minutes: 5,
  contact: "",
  pay: null,
  image_px: 96,
  texts: {
    welcome: "<p>Hello</p>",
    consent: "<p>Terms</p>",
    instructions: "<p>Choose</p>",
    debrief: "<p>Why</p>",
    refused: "<p>Bye</p>",
    practice: "",
    practice_failed: "",
    break_text: "",
    full: "",
    phone_refused: "",
    paused: "",
    closed: "",
  },
  consent_version: "v1",
  policy: { mobile: "allow", keyboard_shortcuts: true },
};

/** The survey's API as a script: what it was asked, and what it stored. */
export class Server {
  state = "none";
  code: string | null = null;
  redirect: string | null = null;
  submit: Ending["submit"] = null;
  consentVersion = "v1";
  /** What it says to the first request for a session; null: a session. */
  refusal: [number, unknown] | null = null;
  forget: number[] = [];
  feedback: string[] = [];
  /** Practice: how many a round, how many right to pass, and what the server says of each. */
  round = 9;
  passMark = 0;
  questions: Question[] = [];
  readonly settings: Omit<Manifest["settings"], "pass_mark"> = {
    fixation_ms: 0,
    time_limit_ms: null,
    image_frames: null,
    reference_ms: null,
    mask_ms: 0,
    confidence_levels: null,
    image_scaling: "smooth",
  };
  verdicts: Record<string, boolean> = {};
  /** The session goes on in another browser: this token is known no more. */
  isElsewhere = false;
  /** Requests of pages of earlier tests, which may still be sending, carry another and are never answered. */
  readonly token = `t${crypto.randomUUID()}`;
  readonly log = new Map<number, LogEntry>();
  readonly calls: string[] = [];
  readonly bodies: Record<string, unknown>[] = [];
  constructor(readonly trials: number) {}

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const credential = new Headers(init.headers).get("Authorization");
    if (credential && credential !== `Session ${this.token}`) return new Promise(() => undefined);
    this.calls.push(`${init.method} ${path}`);
    const body = init.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    this.bodies.push(body);
    if (credential && this.isElsewhere)
      return new Response(JSON.stringify({ code: "authentication_failed", detail: "not known" }), {
        status: 401,
      });
    const [status, reply] = this.#reply(path, body);
    return new Response(JSON.stringify(reply), { status });
  };

  get responses(): Record<string, unknown>[] {
    return [...this.log.values()].filter((entry) => entry.kind === "response").map((entry) => entry.payload);
  }

  get answered(): Set<unknown> {
    return new Set(this.responses.map((payload) => payload.presentation));
  }

  get screenedOutBy(): string {
    if (this.state !== "screened_out") return "";
    return this.log.size > 0 ? "practice" : "device";
  }

  #reply(path: string, body: Record<string, unknown>): [number, unknown] {
    const id = { session_id: "s1", study: "demo", next_seq: this.log.size + 1 };
    switch (path.split("?")[0]) {
      case "/api/studies/demo/":
        return [200, { ...STUDY, consent_version: this.consentVersion }];
      case "/api/sessions/":
        if (this.refusal) return this.refusal;
        this.state = body.is_small_touch_device ? "screened_out" : "created";
        this.code = body.is_small_touch_device ? "OUT-2" : null;
        return [201, { token: this.token, session_id: "s1", state: this.state }];
      case "/api/sessions/me/":
        return [200, { ...id, state: this.state, screened_out_by: this.screenedOutBy, ...this.#ending() }];
      case "/api/sessions/me/consent/":
        if (body.consent_version !== this.consentVersion)
          return [409, { code: "consent_changed", detail: "" }];
        this.state = body.agreed ? "consented" : "refused";
        this.code = body.agreed ? null : "NO-CONSENT";
        return [200, { state: this.state, ...this.#ending() }];
      case "/api/sessions/me/manifest/":
        return [200, { ...id, ...this.#manifest() }];
      case "/api/sessions/me/log/":
        return [200, this.#store(body.entries as LogEntry[])];
      case "/api/sessions/me/finish/":
        return [200, this.#finish(body.last_seq as number)];
    }
    return [404, { code: "not_found", detail: path }];
  }

  #manifest() {
    const presentations = Array.from({ length: this.trials }, (_, n) => ({
      id: `p${n}`,
      position: n,
      block: this.feedback.length > 0 && this.feedback.indexOf(`p${n}`) < 0 ? 9 : Math.floor(n / this.round),
      format: "two_afc",
      attempt: 1,
      references: [{ index: 0, image: `/images/r${n}.png` }],
      options: [
        { position: 1, image: `/images/b${n}.png`, label: null },
        { position: 0, image: `/images/a${n}.png`, label: null },
      ],
      answered: this.answered.has(`p${n}`),
      break_before: false,
      feedback: this.feedback.includes(`p${n}`),
      correct: null,
    }));
    const settings = { ...this.settings, pass_mark: this.passMark };
    const next_seq = this.log.size + 1;
    const questionnaire_open = this.questions.length > 0;
    const { state, questions } = this;
    const asked = { questions, questionnaire_open };
    return { state, study_version: 1, next_seq, image_px: 96, settings, presentations, ...asked };
  }

  #store(entries: LogEntry[]) {
    this.state = "running";
    for (const entry of entries) this.log.set(entry.seq, entry);
    const feedback = Object.fromEntries(
      this.feedback.map((id) => [id, { correct: this.verdicts[id] ?? true }]),
    );
    return { acknowledged: entries.map((entry) => entry.seq), next_seq: 1, feedback };
  }

  #finish(lastSeq: number) {
    for (const seq of this.forget.splice(0)) this.log.delete(seq);
    const missing_seqs = [];
    for (let seq = 1; seq <= lastSeq; seq += 1) if (!this.log.has(seq)) missing_seqs.push(seq);
    const all = Array.from({ length: this.trials }, (_, n) => `p${n}`);
    const unanswered = all.filter((id) => !this.answered.has(id) && !this.feedback.includes(id));
    if (missing_seqs.length || unanswered.length) return { complete: false, missing_seqs, unanswered };
    this.state = "finished";
    this.code = "DONE-1";
    return { complete: true, ...this.#ending() };
  }

  #ending(): Ending {
    const isOver = this.code !== null;
    return {
      completion_code: this.code,
      redirect_url: isOver ? this.redirect : null,
      submit: isOver ? this.submit : null,
      withdraw_url: isOver ? "https://here.example/withdraw/1-2/" : null,
    };
  }
}
