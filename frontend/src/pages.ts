import type { Ending, Format, Question, Study } from "./api";
import { element, richText } from "./html";
import { fill, stringsFor } from "./i18n";
import type { Strings } from "./i18n/strings";
import IriPagePlugin from "./plugins/iri-page";
import { type Answers, Questionnaire } from "./questionnaire";

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
  language: string,
  onLanguage: (language: string) => void,
  notice: string | null,
  onStart: OnChoice,
) {
  const content: Node[] = [];
  if (study.languages.length > 1) content.push(languageChoice(study, strings, language, onLanguage));
  content.push(element("p", { class: "facts" }, fill(strings.minutes, { n: study.minutes })));
  content.push(richText(study.texts.welcome));
  if (notice) content.push(element("p", { class: "hint" }, notice));
  return page(study.title, content, { buttons: [strings.start], on_choice: onStart });
}

function languageChoice(
  study: Study,
  strings: Strings,
  current: string,
  onLanguage: (language: string) => void,
): HTMLElement {
  const select = element("select", {});
  for (const language of study.languages) {
    select.append(new Option(stringsFor(language).languageName, language, false, language === current));
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

export function instructionsPage(study: Study, strings: Strings, formats: ReadonlySet<Format>) {
  return page(strings.instructionsTitle, task(study, strings, formats), { buttons: [strings.continue] });
}

/** The researcher's text, then what these formats ask, in the page's language. */
function task(study: Study, strings: Strings, formats: ReadonlySet<Format>): Node[] {
  const content: Node[] = [richText(study.texts.instructions)];
  const hasMouse = window.matchMedia("(hover: hover) and (pointer: fine)").matches;
  const hasKeys = hasMouse && study.policy.keyboard_shortcuts;
  for (const format of formats) {
    const [what, keys] = TASKS[format];
    content.push(element("p", {}, strings[what]));
    if (hasKeys) content.push(element("p", { class: "hint" }, strings[keys]));
  }
  if (!hasKeys) content.push(element("p", { class: "hint" }, strings.pointerHint));
  return content;
}

export function welcomeBackPage(strings: Strings) {
  return page(strings.welcomeBackTitle, [element("p", {}, strings.welcomeBackText)], {
    buttons: [strings.continue],
  });
}

export function breakPage(strings: Strings) {
  return page(strings.breakTitle, [element("p", {}, strings.breakText)], { buttons: [strings.continue] });
}

export function practicePage(strings: Strings) {
  return page(strings.practiceTitle, [element("p", {}, strings.practiceText)], {
    buttons: [strings.continue],
  });
}

export function practiceOverPage(strings: Strings) {
  return page(strings.practiceOverTitle, [element("p", {}, strings.practiceOverText)], {
    buttons: [strings.continue],
  });
}

/** The task once more, for those who did not pass a round of practice. */
export function practiceAgainPage(study: Study, strings: Strings, formats: ReadonlySet<Format>) {
  const content = [element("p", {}, strings.practiceAgainText), ...task(study, strings, formats)];
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

/** Whoever finished looks for the code; others first have to read why they have come to an end. */
export function lastPage(title: string, text: string, strings: Strings, ending: Ending, isDone: boolean) {
  const content: Node[] = isDone ? [] : [richText(text)];
  const label = isDone ? strings.codeLabel : strings.otherCodeLabel;
  if (ending.completion_code) content.push(codeBox(strings, label, ending.completion_code));
  if (ending.redirect_url) {
    const link = element("a", { class: "button-link", href: ending.redirect_url }, strings.returnLink);
    content.push(element("p", {}, link));
  }
  if (ending.submit) content.push(submitForm(strings, ending.submit));
  if (isDone) content.push(richText(text));
  if (ending.withdraw_url) content.push(withdrawNote(strings, ending.withdraw_url));
  return page(title, content);
}

/** The address is written out, so that it can be kept. */
export function withdrawNote(strings: Strings, address: string): HTMLElement {
  const link = element(
    "a",
    { href: address, target: "_blank", rel: "noopener noreferrer", dir: "ltr" },
    address,
  );
  const note = element("section", { class: "withdraw" });
  note.append(element("h2", {}, strings.withdrawTitle), element("p", {}, strings.withdrawText));
  note.append(element("p", {}, link));
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

function codeBox(strings: Strings, label: string, code: string): HTMLElement {
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
  box.append(element("p", {}, strings.codeHint));
  return box;
}

export function messagePage(title: string, text: string) {
  return page(title, [element("p", {}, text)]);
}
