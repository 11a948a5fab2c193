import { ApiError, getStudy, isTemporary, type Study } from "./api";
import { element } from "./html";
import { chooseLanguage, setDocumentLanguage, spokenFor, stringsFor } from "./i18n";
import { readLink } from "./link";
import { SurveySession } from "./session";
import "./styles.css";
import { persist } from "./transport/backoff";
import { openStore } from "./transport/store";
import { contactLine } from "./walk/contact";

async function main(app: HTMLElement): Promise<void> {
  let study: Study | null = null;
  const strings = stringsFor(navigator.language);
  setDocumentLanguage(spokenFor(navigator.language), strings);
  const slug = app.dataset.study ?? "";
  try {
    showMessage(app, strings.loading);
    app.querySelector(".waiting")?.classList.add("is-loading");
    study = await persist(
      () => loadStudy(slug),
      isTemporary,
      (failures) => {
        if (failures === 1) showMessage(app, strings.offlineRetry);
      },
    );
    const session = new SurveySession(app, study, await openStore(), window.location.search);
    await session.run();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      showMessage(app, strings.notFoundText, strings.notFoundTitle);
    } else {
      showMessage(app, strings.errorText, strings.errorTitle, error);
      const contact = contactLine(strings, study?.contact ?? "");
      if (contact) app.querySelector(".iri-page")?.append(contact);
    }
  }
}

/** In the language that the address asks for, else in one that the browser prefers. */
async function loadStudy(slug: string): Promise<Study> {
  const link = readLink(window.location.search);
  const study = await getStudy(slug, null, link);
  const language = chooseLanguage(study.languages, link.language, navigator.languages);
  return language === study.language ? study : getStudy(slug, language, link);
}

function showMessage(app: HTMLElement, text: string, title?: string, error?: unknown): void {
  const page = element("main", { class: "stage" });
  const box = element("div", { class: title ? "iri-page" : "waiting", role: title ? "alert" : "status" });
  box.append(element("h1", {}, title ?? text));
  if (title) box.append(element("p", {}, text));
  if (error !== undefined) {
    box.append(element("p", { class: "technical" }, error instanceof Error ? error.message : String(error)));
  }
  page.append(box);
  app.replaceChildren(page);
}

const app = document.getElementById("app");
if (app) void main(app);
