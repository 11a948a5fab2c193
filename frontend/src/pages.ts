import type { Ending, Format, Manifest, Question, Study } from "./api";
import { element, richText } from "./html";
import { fill, stringsFor } from "./i18n";
import type { Strings } from "./i18n/strings";
import IriPagePlugin from "./plugins/iri-page";
import { type Answers, Questionnaire } from "./questionnaire";
import { contactLine } from "./walk/contact";
import { wayToProlific } from "./walk/way-back";

/** Descriptions of the pages around the trials, each shown by the `iri-page` plugin. */

type OnChoice = (button: number) => Promise<string | null>;

function page(title: string, content: (Node | string)[], more: Record<string, unknown> = {}) {
  return {
    type: IriPagePlugin,
    render: (root: HTMLElement) => root.append(element("h1", {}, title), ...content),
    ...more,
  };
}

export function welcomePage(
  study: Study,
  strings: Strings,
  onLanguage: (language: string) => void,
  notice: string | null,
  onStart: OnChoice,
) {
  const content = welcome(study, strings, onLanguage);
  if (notice) content.push(element("p", { class: "hint" }, notice));
  return page(study.title, content, { buttons: [strings.start], on_choice: onStart });
}

/** The welcome of somebody who cannot begin yet, with what is to be done before. */
export function lookPage(
  study: Study,
  strings: Strings,
  onLanguage: (language: string) => void,
  notice: string,
) {
  return page(study.title, [element("p", { class: "hint" }, notice), ...welcome(study, strings, onLanguage)]);
}

function welcome(study: Study, strings: Strings, onLanguage: (language: string) => void): Node[] {
  const facts = [fill(strings.minutes, { n: study.minutes })];
  if (study.pay) facts.push(fill(strings.pay, { pay: money(study.pay, study.language) }));
  const content: Node[] = [];
  if (study.languages.length > 1) content.push(languageChoice(study, strings, onLanguage));
  content.push(element("ul", { class: "facts" }, ...facts.map((fact) => element("li", {}, fact))));
  content.push(richText(study.texts.welcome));
  const contact = contactLine(strings, study.contact);
  if (contact) content.push(contact);
  return content;
}

function money({ amount, currency }: NonNullable<Study["pay"]>, language: string): string {
  return new Intl.NumberFormat(language, { style: "currency", currency }).format(Number(amount));
}

function languageChoice(study: Study, strings: Strings, onLanguage: (language: string) => void): HTMLElement {
  const select = element("select", {});
  for (const language of study.languages) {
    select.append(
      new Option(stringsFor(language).languageName, language, false, language === study.language),
    );
  }
  select.addEventListener("change", () => onLanguage(select.value));
  return element("label", { class: "language" }, `${strings.language} `, select);
}

export function consentPage(study: Study, strings: Strings, note: string | null, onChoice: OnChoice) {
  const content: Node[] = note ? [element("p", { class: "hint", role: "status" }, note)] : [];
  content.push(richText(study.texts.consent));
  return page(strings.consentTitle, content, {
    buttons: [strings.agree, strings.disagree],
    on_choice: onChoice,
  });
}

/** What each format asks, and the keys that answer it. */
const TASKS: Record<Format, [what: keyof Strings, keys: keyof Strings]> = {
  two_afc: ["howTwoAfc", "keysTwoAfc"],
  matching: ["howMatching", "keysMatching"],
  classification: ["howClassification", "keysClassification"],
  odd_one_out: ["howOddOneOut", "keysOddOneOut"],
};

/** The same where the reference is shown first, of the formats that can. */
const REFERENCE_FIRST: Record<Format, keyof Strings | null> = {
  two_afc: "howTwoAfcFirst",
  classification: "howClassificationFirst",
  matching: null,
  odd_one_out: null,
};

/** What the session's trials do, as far as participants have to know it beforehand. */
export interface Task {
  formats: ReadonlySet<Format>;
  settings: Manifest["settings"];
}

export function instructionsPage(study: Study, strings: Strings, asked: Task) {
  return page(strings.instructionsTitle, task(study, strings, asked), { buttons: [strings.continue] });
}

/** The researcher's text, then what these formats ask, in the page's language. */
function task(study: Study, strings: Strings, { formats, settings }: Task): Node[] {
  const content: Node[] = [richText(study.texts.instructions)];
  const say = (text: string, className = ""): void => {
    content.push(element("p", className ? { class: className } : {}, text));
  };
  const seconds = (ms: number) => new Intl.NumberFormat(study.language).format(ms / 1000);
  const hasMouse = window.matchMedia("(hover: hover) and (pointer: fine)").matches;
  const hasKeys = hasMouse && study.policy.keyboard_shortcuts;
  for (const format of formats) {
    const first = settings.reference_ms === null ? null : REFERENCE_FIRST[format];
    if (first && settings.reference_ms !== null) {
      say(fill(strings.howReferenceFirst, { seconds: seconds(settings.reference_ms) }));
      if (settings.mask_ms > 0) say(strings.howMask);
    }
    const [what, keys] = TASKS[format];
    say(strings[first ?? what]);
    if (hasKeys) say(strings[keys], "hint");
  }
  if (settings.image_frames !== null) say(strings.howFrames);
  if (settings.confidence_levels !== null) say(strings.howConfidence);
  if (settings.time_limit_ms !== null)
    say(fill(strings.howTimeLimit, { seconds: seconds(settings.time_limit_ms) }));
  if (!hasKeys) say(strings.pointerHint, "hint");
  return content;
}

export function welcomeBackPage(strings: Strings) {
  return page(strings.welcomeBackTitle, [element("p", {}, strings.welcomeBackText)], {
    buttons: [strings.continue],
  });
}

/** The researcher's text where there is one, else the page's own words. */
export function told(text: string, own: string): HTMLElement {
  return text ? richText(text) : element("p", {}, own);
}

export function breakPage({ texts }: Study, strings: Strings) {
  return page(strings.breakTitle, [told(texts.break_text, strings.breakText)], {
    buttons: [strings.continue],
  });
}

export function pausePage(strings: Strings) {
  return page(strings.pauseTitle, [element("p", {}, strings.pauseText)], { buttons: [strings.continue] });
}

export function practicePage({ texts }: Study, strings: Strings) {
  return page(strings.practiceTitle, [told(texts.practice, strings.practiceText)], {
    buttons: [strings.continue],
  });
}

export function practiceOverPage(strings: Strings) {
  return page(strings.practiceOverTitle, [element("p", {}, strings.practiceOverText)], {
    buttons: [strings.continue],
  });
}

/** The task once more, for those who did not pass a round of practice. */
export function practiceAgainPage(study: Study, strings: Strings, asked: Task) {
  const content = [element("p", {}, strings.practiceAgainText), ...task(study, strings, asked)];
  return page(strings.practiceAgainTitle, content, { buttons: [strings.continue] });
}

export function feedbackPage(strings: Strings, isCorrect: boolean) {
  return page(isCorrect ? strings.correct : strings.incorrect, [], {
    buttons: [strings.continue],
  });
}

/** `onAnswers` gets the answers once all that is required is there. */
export function questionnairePage(
  questions: readonly Question[],
  strings: Strings,
  onAnswers: (answers: Answers) => void,
) {
  const questionnaire = new Questionnaire(questions, strings);
  return page(strings.questionnaireTitle, [questionnaire.root], {
    buttons: [strings.continue],
    on_choice: () => {
      const answers = questionnaire.read();
      if (answers === null) return strings.questionnaireFault;
      onAnswers(answers);
      return null;
    },
  });
}

export function savingPage(strings: Strings, until: () => Promise<unknown>, help: Node) {
  return page(strings.savingTitle, [element("p", {}, strings.savingText), help], { until });
}

/** Why somebody has come to the end. */
export type Outcome = "done" | "declined" | "practice_failed" | "phone_refused";

/** Whoever finished looks for the code; others first have to read why they have come to an end. */
export function lastPage(
  title: string,
  text: HTMLElement,
  study: Study,
  strings: Strings,
  ending: Ending,
  outcome: Outcome,
) {
  const isDone = outcome === "done";
  const isProlific = study.recruiter === "prolific" && ending.redirect_url !== null;
  const content: Node[] = isDone ? [] : [text];
  if (isProlific && ending.redirect_url) content.push(wayToProlific(strings, ending.redirect_url));
  if (ending.completion_code) {
    const hint = isProlific ? strings.codeHintProlific : ending.submit ? null : strings.codeHint;
    content.push(codeBox(strings, codeLabel(strings, outcome), ending.completion_code, hint));
  }
  if (ending.redirect_url && !isProlific) {
    const link = element("a", { class: "button-link", href: ending.redirect_url }, strings.returnLink);
    content.push(element("p", {}, link));
  }
  if (ending.submit) content.push(submitForm(strings, ending.submit));
  if (isDone) content.push(text);
  if (ending.withdraw_url) content.push(withdrawing(strings, ending.withdraw_url, outcome));
  const contact = contactLine(strings, study.contact);
  if (contact) content.push(contact);
  return page(title, content);
}

function codeLabel(strings: Strings, outcome: Outcome): string {
  if (outcome === "done") return strings.codeLabel;
  return outcome === "declined" ? strings.declinedCodeLabel : strings.endedCodeLabel;
}

/** Whoever did not pass the practice has not changed their mind. */
function withdrawing(strings: Strings, address: string, outcome: Outcome): HTMLElement {
  return outcome === "practice_failed"
    ? withdrawNote(strings.practiceAnswersTitle, strings.practiceAnswersText, address)
    : withdrawNote(strings.withdrawTitle, strings.withdrawText, address);
}

/** The address is written out, so that it can be kept. */
export function withdrawNote(title: string, text: string, address: string): HTMLElement {
  const link = element(
    "a",
    { href: address, target: "_blank", rel: "noopener noreferrer", dir: "ltr" },
    address,
  );
  const note = element("section", { class: "withdraw" });
  note.append(element("h2", {}, title), element("p", {}, text), element("p", {}, link));
  return note;
}

/** The form that Mechanical Turk takes: it leaves this page, inside the frame. */
function submitForm(strings: Strings, { action, fields }: NonNullable<Ending["submit"]>): HTMLElement {
  const form = element("form", { method: "post", action });
  for (const [name, value] of Object.entries(fields)) {
    form.append(element("input", { type: "hidden", name, value }));
  }
  form.append(element("button", { type: "submit", class: "iri-page-button is-main" }, strings.submitHit));
  return form;
}

function codeBox(strings: Strings, label: string, code: string, hint: string | null): HTMLElement {
  const shown = element("output", { class: "code", "data-testid": "completion-code" });
  shown.append(element("bdi", { dir: "ltr" }, code));
  const copy = element("button", { type: "button", class: "iri-page-button" }, strings.copy);
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code);
    copy.textContent = strings.copied;
  });
  const box = element("section", { class: "code-box" });
  box.append(element("h2", {}, label), shown);
  // Browsers offer the clipboard to secure pages only; the code can be selected and copied by hand.
  if (navigator.clipboard) box.append(copy);
  if (hint) box.append(element("p", {}, hint));
  return box;
}
