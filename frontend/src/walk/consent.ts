import { ApiError, getStudy, isTemporary, type SessionApi } from "../api";
import * as pages from "../pages";
import { persist } from "../transport/backoff";
import { explain } from "./refusals";
import type { Survey } from "./survey";

export type Decided = Awaited<ReturnType<SessionApi["consent"]>>;

/** The participant's decision about the text as it is now; one that changed meanwhile is shown again. */
export async function askConsent(survey: Survey, api: SessionApi): Promise<Decided> {
  for (let note: string | null = null; ; note = survey.strings.consentChanged) {
    const decided = await decide(survey, api, note);
    if (decided) return decided;
  }
}

/** Null: the text was not the study's any more, and `survey.study` has the new one. */
async function decide(survey: Survey, api: SessionApi, note: string | null): Promise<Decided | null> {
  const { study, strings } = survey;
  let decided: Decided | null = null;
  const onChoice = async (button: number): Promise<string | null> => {
    try {
      decided = await api.consent(button === 0, study.consent_version);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "consent_changed")) return explain(survey, error);
      const ask = () => getStudy(study.slug, study.language, survey.link);
      survey.study = await persist(ask, isTemporary);
    }
    return null;
  };
  await survey.stage.show(pages.consentPage(study, strings, note, onChoice));
  return decided;
}
