import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../../package.json";
import { citations } from "../../trial/citations";

const info = <const>{
  name: "iri-page",
  version: version,
  citations,
  parameters: {
    /** Fills the page: gets the element to fill, gives nothing back. */
    render: {
      type: ParameterType.FUNCTION,
      default: undefined,
    },
    /** Labels of the buttons that end the page, the main one first; with none, the page stays. */
    buttons: {
      type: ParameterType.STRING,
      array: true,
      default: [],
    },
    /**
     * Asked before the page ends: gets the button's place, gives (a promise of) null to go on, or the text
     * of an error to show instead. The buttons rest meanwhile.
     */
    on_choice: {
      type: ParameterType.FUNCTION,
      default: null,
    },
    /** Gives a promise that ends the page by itself when it resolves. */
    until: {
      type: ParameterType.FUNCTION,
      default: null,
    },
  },
  data: {
    /** Place of the button that ended the page; null if it ended by itself. */
    response: {
      type: ParameterType.INT,
    },
    /** From showing the page to its end, in ms, rounded. */
    rt: {
      type: ParameterType.INT,
    },
  },
};

type Info = typeof info;

/** What a page records; `info.data` documents each. */
export interface PageData {
  response: number | null;
  rt: number;
}

/** A page's parameters with their defaults filled in, as jsPsych hands them over; `info` documents each. */
interface Parameters {
  render: (root: HTMLElement) => void;
  buttons: string[];
  on_choice: ((button: number) => string | null | Promise<string | null>) | null;
  until: (() => Promise<unknown>) | null;
}

/** **iri-page**: text with buttons; a button may have to wait for something before the page ends. */
class IriPagePlugin implements JsPsychPlugin<Info> {
  static info = info;

  constructor(private jsPsych: JsPsych) {}

  trial(display: HTMLElement, trial: TrialType<Info>, onLoad: () => void): Promise<PageData> {
    return this.#run(display, filled(trial), onLoad);
  }

  async #run(display: HTMLElement, trial: Parameters, onLoad: () => void): Promise<PageData> {
    const root = document.createElement("div");
    root.className = "iri-page";
    trial.render(root);
    const error = document.createElement("p");
    error.className = "iri-page-error";
    error.setAttribute("role", "alert");
    const row = document.createElement("div");
    row.className = "iri-page-buttons";
    const buttons = trial.buttons.map((label, place) => pageButton(label, place));
    row.append(...buttons);
    root.append(error, row);
    display.replaceChildren(root);
    focusPrimary(root);
    const shown = performance.now();
    onLoad();
    const onChoice = trial.on_choice ?? (() => null);
    return new Promise((resolve, reject) => {
      trial
        .until?.()
        .then(() => resolve({ response: null, rt: Math.round(performance.now() - shown) }), reject);
      for (const [place, button] of buttons.entries()) {
        // Enter held down since the page before must not answer this one.
        button.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
        button.addEventListener("click", async (event) => {
          if (row.ariaBusy === "true") return;
          setBusy(row, buttons, true);
          error.textContent = "";
          try {
            const refusal = await onChoice(place);
            if (refusal === null) resolve({ response: place, rt: Math.round(event.timeStamp - shown) });
            else {
              error.textContent = refusal;
              setBusy(row, buttons, false);
            }
          } catch (fault) {
            reject(fault);
          }
        });
      }
    });
  }

  /** Presses the main button ("data-only": without showing the page). */
  async simulate(
    given: TrialType<Info>,
    mode: "data-only" | "visual",
    options: { data?: Partial<PageData> },
    onLoad: () => void,
  ): Promise<PageData> {
    const data: PageData = this.jsPsych.pluginAPI.mergeSimulationData({ response: 0, rt: 1_000 }, options);
    if (mode === "data-only") {
      onLoad();
      return data;
    }
    return this.#run(this.jsPsych.getDisplayElement(), filled(given), () => {
      onLoad();
      const button = this.jsPsych.getDisplayElement().querySelectorAll("button.iri-page-button")[
        data.response ?? 0
      ];
      if (button) this.jsPsych.pluginAPI.clickTarget(button, data.rt);
    });
  }
}

/** jsPsych has filled in the defaults; its types still call those parameters optional. */
function filled(given: TrialType<Info>): Parameters {
  return given as unknown as Parameters;
}

function pageButton(label: string, place: number): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = place === 0 ? "iri-page-button is-main" : "iri-page-button";
  button.textContent = label;
  return button;
}

function setBusy(row: HTMLElement, buttons: readonly HTMLButtonElement[], busy: boolean): void {
  row.ariaBusy = String(busy);
  for (const button of buttons) button.setAttribute("aria-disabled", String(busy));
}

/**
 * The page's first control has the focus: what asks for it (`data-autofocus`), else the main button, else the
 * heading. The page is a group named by its heading, so that a screen reader reads that first.
 */
function focusPrimary(root: HTMLElement): void {
  const heading = root.querySelector<HTMLElement>("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.id = "iri-page-title";
    root.setAttribute("role", "group");
    root.setAttribute("aria-labelledby", heading.id);
  }
  const asking = root.querySelector<HTMLElement>("[data-autofocus]");
  const main = root.querySelector<HTMLElement>(".iri-page-button.is-main");
  (asking ?? main ?? heading)?.focus({ preventScroll: true });
}

export default IriPagePlugin;
