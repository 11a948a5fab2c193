import type { Question } from "./api";
import { element } from "./html";
import { fill } from "./i18n";
import type { Strings } from "./i18n/strings";

export type Answers = Record<string, string | number | string[]>;

/** A question on the page: its elements, and what is answered now; null is nothing. */
interface Shown {
  question: Question;
  box: HTMLElement;
  error: HTMLElement;
  answer: () => Answers[string] | null;
}

/** The questionnaire's fields. `read` gives the answers, or marks what is wrong and gives null. */
export class Questionnaire {
  readonly root = element("div", { class: "questionnaire" });
  readonly #shown: Shown[];

  constructor(
    questions: readonly Question[],
    private readonly strings: Strings,
  ) {
    this.#shown = questions.map((question, place) => this.#show(question, place));
    this.root.append(...this.#shown.map(({ box }) => box));
    this.root.querySelector("input, textarea, select")?.setAttribute("data-autofocus", "");
  }

  read(): Answers | null {
    const wrong = this.#shown.filter((shown) => {
      const fault = this.#fault(shown);
      shown.error.textContent = fault ?? "";
      for (const control of controls(shown.box)) control.setAttribute("aria-invalid", String(fault !== null));
      return fault !== null;
    });
    const first = wrong[0];
    if (first) {
      controls(first.box)[0]?.focus();
      return null;
    }
    const given = this.#shown.map(({ question, answer }) => [question.name, answer()] as const);
    return Object.fromEntries(given.filter(([, answer]) => answer !== null)) as Answers;
  }

  #fault({ question, answer, box }: Shown): string | null {
    const given = answer();
    const typed = box.querySelector<HTMLInputElement>("input[type=number]");
    const { minimum, maximum } = question;
    if (typed?.validity.badInput) return this.#range(minimum, maximum);
    if (given === null) return question.is_required ? this.strings.answerNeeded : null;
    if (typeof given !== "number") return null;
    const isOut = (minimum !== null && given < minimum) || (maximum !== null && given > maximum);
    return isOut ? this.#range(minimum, maximum) : null;
  }

  #range(minimum: number | null, maximum: number | null): string {
    return fill(this.strings.numberNeeded, { range: [minimum ?? "…", maximum ?? "…"].join(" – ") });
  }

  #show(question: Question, place: number): Shown {
    const id = `question-${place}`;
    const error = element("p", { class: "iri-page-error", id: `${id}-error`, role: "alert" });
    const made = isGroup(question) ? group(question, id) : single(question, id);
    const label = question.is_required ? `${question.label} *` : question.label;
    made.label.textContent = label;
    made.box.append(error);
    for (const control of controls(made.box)) {
      control.setAttribute("aria-describedby", error.id);
      if (question.is_required && !isGroup(question)) control.setAttribute("aria-required", "true");
    }
    return { question, box: made.box, error, answer: made.answer };
  }
}

function isGroup({ kind }: Question): boolean {
  return kind === "choice" || kind === "choices" || kind === "scale";
}

function controls(box: HTMLElement): HTMLElement[] {
  return [...box.querySelectorAll<HTMLElement>("input, textarea, select")];
}

interface Made {
  box: HTMLElement;
  label: HTMLElement;
  answer: Shown["answer"];
}

function single(question: Question, id: string): Made {
  const label = element("label", { for: id });
  const control =
    question.kind === "long_text"
      ? element("textarea", { id, rows: "4", maxlength: "4000" })
      : element("input", { id, type: question.kind === "number" ? "number" : "text", maxlength: "300" });
  if (question.kind === "number") control.setAttribute("step", "any");
  const box = element("div", { class: "question" }, label, control);
  const answer = (): string | number | null => {
    const value = control.value.trim();
    if (value === "") return null;
    return question.kind === "number" ? Number(value) : value;
  };
  return { box, label, answer };
}

function group(question: Question, id: string): Made {
  const label = element("legend");
  const box = element("fieldset", { class: `question is-${question.kind}` }, label);
  const type = question.kind === "choices" ? "checkbox" : "radio";
  const inputs = optionsOf(question).map(([value, words]) => {
    const input = element("input", { type, name: id, value });
    box.append(element("label", {}, input, element("span", {}, words)));
    return input;
  });
  const answer = (): string | number | string[] | null => {
    const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
    if (chosen.length === 0) return null;
    if (question.kind === "choices") return chosen;
    return question.kind === "scale" ? Number(chosen[0]) : (chosen[0] ?? null);
  };
  return { box, label, answer };
}

function optionsOf({ kind, choices, minimum, maximum }: Question): [string, string][] {
  if (kind !== "scale") return choices;
  const low = minimum ?? 1;
  const steps = (maximum ?? low) - low + 1;
  return Array.from({ length: steps }, (_, step) => [String(low + step), String(low + step)]);
}
