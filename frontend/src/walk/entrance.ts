import { ApiError, type CreatedSession, createSession, SessionApi, type SessionStatus } from "../api";
import { isSmallTouchDevice } from "../device";
import { isMturkPreview } from "../link";
import * as pages from "../pages";
import { explain, explainFault } from "./refusals";
import type { Survey } from "./survey";

/** A session and where it stands. */
export interface Entered {
  api: SessionApi;
  status: SessionStatus;
}

/** The session that this browser kept, or a new one. Null: there is no way in, and the page says why. */
export async function enter(survey: Survey): Promise<Entered | null> {
  const resumed = await resume(survey);
  if (resumed) return resumed;
  const created = await welcome(survey);
  if (!created) return null;
  const api = new SessionApi(created.token);
  // A recruiter's id that is known already gives its session back, wherever that stands.
  return { api, status: await survey.reach(() => api.status()) };
}

/** The session that this browser kept, if the server still knows it and it can go on or be shown again. */
async function resume(survey: Survey): Promise<Entered | null> {
  const kept = await survey.store.session(survey.key);
  if (!kept) return null;
  const api = new SessionApi(kept.token);
  try {
    const status = await survey.reach(() => api.status());
    if (!beginsAnew(survey, status)) return { api, status };
  } catch (error) {
    if (!(error instanceof ApiError && [401, 403, 404].includes(error.status))) throw error;
  }
  await survey.store.forgetSession(survey.key);
  return null;
}

function beginsAnew(survey: Survey, status: SessionStatus): boolean {
  if (status.screened_out_by === "device" && !isRefusedDevice(survey)) return true;
  // Colleagues pilot a study many times from one browser.
  return survey.link.mode !== "real" && ["finished", "refused", "screened_out"].includes(status.state);
}

/** The welcome page; the click on its button makes the session. Null: there is no way in. */
async function welcome(survey: Survey): Promise<CreatedSession | null> {
  const { study, strings, link } = survey;
  const isNew = !study.link.is_known; // whoever began goes on, though others cannot begin any more
  if (isNew && !study.accepting) return takesNobody(survey);
  if (isMturkPreview(link)) {
    await survey.stage.show(pages.lookPage(study, strings, switchLanguage, strings.mturkPreviewText));
    return null;
  }
  const { fault } = study.link;
  if (fault) {
    const title = fault === "took_part_already" ? strings.refusedTitle : strings.linkTitle;
    return survey.end(title, explainFault(survey, fault));
  }
  if (isNew && study.full && link.mode === "real")
    return survey.end(strings.refusedTitle, pages.told(study.texts.full, strings.fullText));
  if (isRefusedDevice(survey)) return refuseDevice(survey);
  let created: CreatedSession | null = null;
  const start = async (): Promise<string | null> => {
    try {
      created = await startSession(survey);
      return null;
    } catch (error) {
      return explain(survey, error);
    }
  };
  const notice = study.policy.mobile === "warn" && isSmallTouchDevice() ? strings.mobileWarn : null;
  await survey.stage.show(pages.welcomePage(study, strings, switchLanguage, notice, start));
  return created;
}

function takesNobody(survey: Survey): null {
  const { study, strings } = survey;
  if (study.status === "paused")
    return survey.end(strings.pausedTitle, pages.told(study.texts.paused, strings.pausedText));
  return survey.end(strings.closedTitle, pages.told(study.texts.closed, strings.closedText));
}

/** A new session, or the one that the link's participant has already; this browser keeps it. */
export async function startSession({ study, link, store, key }: Survey): Promise<CreatedSession> {
  const created = await createSession({
    study: study.slug,
    mode: link.mode,
    language: study.language,
    recruitment: link.recruitment,
    is_small_touch_device: isSmallTouchDevice(),
  });
  await store.keepSession({ key, token: created.token, session: created.session_id });
  return created;
}

function isRefusedDevice({ study }: Survey): boolean {
  return study.policy.mobile === "block" && isSmallTouchDevice();
}

/** There is nothing to click: the server is told, so that refused devices are counted. Null where it made none. */
async function refuseDevice(survey: Survey): Promise<CreatedSession | null> {
  try {
    return await survey.reach(() => startSession(survey));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const text = pages.told(survey.study.texts.phone_refused, survey.strings.mobileBlock);
    return survey.end(survey.strings.mobileTitle, text);
  }
}

function switchLanguage(language: string): void {
  const address = new URL(window.location.href);
  address.searchParams.set("lang", language);
  window.location.assign(address);
}
