import { initJsPsych } from "jspsych";
import { beforeEach, describe, expect, it } from "vitest";
import IriClassificationPlugin from "../src/plugins/iri-classification";
import IriMatchingPlugin from "../src/plugins/iri-matching";
import IriOddOneOutPlugin from "../src/plugins/iri-odd-one-out";
import IriTwoAfcPlugin from "../src/plugins/iri-two-afc";
import { Matching } from "../src/trial/matching";
import { button, click, furnishBrowser, press, until } from "./browser";

const THREE = ["/0.png", "/1.png", "/2.png"];
const PLUGINS = {
  "two-afc": { type: IriTwoAfcPlugin, reference: "/r.png", options: THREE.slice(0, 2) },
  "odd-one-out": { type: IriOddOneOutPlugin, options: THREE },
  classification: { type: IriClassificationPlugin, reference: "/r.png", labels: ["cat", "dog", "owl"] },
  matching: { type: IriMatchingPlugin, references: ["/a.png", "/b.png", "/c.png"], options: THREE },
};

let root: HTMLElement;

beforeEach(() => {
  furnishBrowser();
  root = document.createElement("main");
  document.body.replaceChildren(root);
});

/** Runs one trial in jsPsych itself; gives its data row. */
function run(format: keyof typeof PLUGINS, parameters: Record<string, unknown> = {}) {
  const jsPsych = initJsPsych({ display_element: root });
  const trial = { ...PLUGINS[format], pointer_guard: 0, ...parameters };
  return jsPsych.run([trial]).then(() => jsPsych.data.get().values()[0] as Record<string, unknown>);
}

async function shown(): Promise<void> {
  await until(() => document.querySelector("[data-phase=shown]"));
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 5)));
}

/** A pointer on an image, as a person drags it. */
function point(target: Element, type: string, x: number, y: number, pointerType = "mouse"): void {
  const event = new MouseEvent(type, { bubbles: true, button: 0, clientX: x, clientY: y });
  Object.defineProperties(event, {
    isPrimary: { value: true },
    pointerId: { value: 1 },
    pointerType: { value: pointerType },
  });
  target.dispatchEvent(event);
}

/** Puts the images of the matching trial where a browser would: 100 px apart, options 200 px below. */
function layOut(): void {
  for (const [row, name] of ["references", "options"].entries()) {
    for (const [place, image] of document.querySelectorAll(`.iri-matching-${name} button`).entries()) {
      image.getBoundingClientRect = () => new DOMRect(100 * place, 200 * row, 80, 80);
    }
  }
}

describe.each(Object.keys(PLUGINS) as (keyof typeof PLUGINS)[])("%s", (format) => {
  it("records every declared datum, and nothing that is not", async () => {
    const done = run(format, { confidence_levels: 6, time_limit: 30 });
    const row = await done;
    const jsPsychs = ["trial_type", "trial_index", "time_elapsed", "plugin_version"];
    const declared = Object.keys(PLUGINS[format].type.info.data);
    expect(
      Object.keys(row)
        .filter((name) => !jsPsychs.includes(name))
        .sort(),
    ).toEqual(declared.sort());
    expect(row).toMatchObject({ response: null, rt: null, timed_out: true, confidence: null });
  });

  it("simulated as data only, gives every declared datum", async () => {
    const jsPsych = initJsPsych({ display_element: root });
    await jsPsych.simulate([{ ...PLUGINS[format], confidence_levels: 3 }], "data-only");
    const row = jsPsych.data.get().values()[0];
    expect(Object.keys(row)).toEqual(expect.arrayContaining(Object.keys(PLUGINS[format].type.info.data)));
    expect([1, 2, 3]).toContain(row.confidence);
  });

  it.each([true, false])("simulated visually, answers as told (keys: %s)", async (keys) => {
    const jsPsych = initJsPsych({ display_element: root });
    const response = format === "matching" ? [2, 0, 1] : 1;
    const trial = { ...PLUGINS[format], confidence_levels: 3, keyboard_shortcuts: keys };
    const options = { default: { data: { response, rt: 40, confidence: 2, confidence_rt: 30 } } };
    await jsPsych.simulate([trial], "visual", options);
    expect(jsPsych.data.get().values()[0]).toMatchObject({ response, confidence: 2 });
  });

  it("simulated slower than the time limit, has no answer", async () => {
    const jsPsych = initJsPsych({ display_element: root });
    const options = { default: { data: { rt: 90 } } };
    await jsPsych.simulate([{ ...PLUGINS[format], time_limit: 50 }], "data-only", options);
    expect(jsPsych.data.get().values()[0]).toMatchObject({ response: null, timed_out: true, rt: null });
  });

  it("takes the focus, named by its question, so that the next Tab reaches an option", async () => {
    const done = run(format, { time_limit: 50 });
    await shown();
    const trial = document.activeElement as HTMLElement;
    expect(trial.className).toBe("iri-trial");
    const name = document.getElementById(trial.getAttribute("aria-labelledby") ?? "");
    expect(name?.textContent).toBe(PLUGINS[format].type.info.parameters.prompt.default);
    expect(trial.outerHTML).not.toContain("onclick");
    await done;
  });

  it("hides its images after their frames", async () => {
    const done = run(format, { image_frames: 1, time_limit: 80 });
    await until(() => document.querySelector("[data-phase=hidden]"));
    await done;
  });
});

describe("odd one out", () => {
  it.each([
    ["1", 0],
    ["3", 2],
  ])("by the key %s chooses image %i", async (key, response) => {
    const done = run("odd-one-out");
    await shown();
    press(key);
    expect(await done).toMatchObject({ response, input: "key", options: THREE });
  });

  it("names its images by number and is chosen by touch", async () => {
    const done = run("odd-one-out");
    await shown();
    click(button("Image 2") as Element, "touch");
    expect(await done).toMatchObject({ response: 1, input: "touch" });
  });

  it("refuses fewer than three images", async () => {
    await expect(run("odd-one-out", { options: ["/0.png"] })).rejects.toThrow(
      "three or more image addresses, not 1",
    );
  });
});

describe("classification", () => {
  it("offers labels with icons where there are any, and takes their keys", async () => {
    const done = run("classification", { icons: [null, "/dog.png", null] });
    await shown();
    const icons = [...document.querySelectorAll(".iri-trial-icon img")].map((icon) =>
      icon.getAttribute("src"),
    );
    expect(icons).toEqual(["/dog.png"]);
    expect(button("owl3")?.hasAttribute("aria-label")).toBe(false); // named by what is seen
    press("3");
    expect(await done).toMatchObject({ response: 2, stimulus: "/r.png", options: ["cat", "dog", "owl"] });
  });

  it("has a key for each of sixteen labels", async () => {
    const labels = Array.from({ length: 16 }, (_, place) => `label ${place}`);
    const done = run("classification", { labels });
    await shown();
    press("y");
    expect(await done).toMatchObject({ response: 15 });
  });

  it("refuses a single label", async () => {
    await expect(run("classification", { labels: ["cat"] })).rejects.toThrow(
      "labels must be two or more, not 1",
    );
  });
});

describe("matching", () => {
  const confirm = () => button("Confirm") as HTMLButtonElement;
  const above = (letter: string) => button(`Image ${letter} above`) as Element;
  const below = (n: number) => button(`Image ${n} below`) as Element;

  it("by clicks: pick one up, then its partner, from either row", async () => {
    const done = run("matching");
    await shown();
    click(above("A"), "mouse");
    expect(above("A").getAttribute("aria-pressed")).toBe("true");
    click(below(2), "mouse");
    expect(button("Image A above, matched with 2")).toBeDefined();
    expect(button("Image 2 below, matched with A")).toBeDefined();
    click(below(3), "mouse");
    click(above("B"), "mouse");
    expect(confirm().getAttribute("aria-disabled")).toBe("true");
    click(confirm(), "mouse"); // not yet
    click(above("C"), "touch");
    click(below(1), "touch");
    click(confirm(), "touch");
    expect(await done).toMatchObject({
      response: [1, 2, 0],
      input: "touch",
      n_matches: 3,
      stimulus: ["/a.png", "/b.png", "/c.png"],
      options: THREE,
    });
  });

  it("by keys: the number of each in turn, arrows to change one, Enter on Confirm to end", async () => {
    const done = run("matching");
    await shown();
    for (const key of ["1", "2", "3"]) press(key);
    expect(document.activeElement).toBe(confirm());
    for (const key of ["ArrowLeft", "Backspace"]) press(key);
    expect(confirm().getAttribute("aria-disabled")).toBe("true");
    for (const key of ["2", "ArrowRight"]) press(key);
    click(confirm(), "");
    expect(await done).toMatchObject({ input: "key" });
    expect((await done).response).toEqual(expect.arrayContaining([0, 1, 2]));
  });

  it("by dragging: let go over a partner it matches, elsewhere it does not", async () => {
    const done = run("matching");
    await shown();
    layOut();
    const drag = (from: Element, x: number, y: number, pointer?: string): void => {
      const start = from.getBoundingClientRect();
      point(from, "pointerdown", start.x + 10, start.y + 10, pointer);
      point(from, "pointermove", x, y, pointer);
      expect(document.querySelectorAll(".iri-matching-ghost").length).toBe(1);
      point(from, "pointerup", x, y, pointer);
      click(from, "mouse"); // as browsers make of it
      expect(document.querySelectorAll(".iri-matching-ghost").length).toBe(0);
    };
    drag(above("A"), 210, 210);
    expect(button("Image A above, matched with 3")).toBeDefined();
    drag(above("B"), 500, 500);
    expect(above("B")).toBeDefined();
    expect(above("B").getAttribute("aria-pressed")).toBe("false");
    await new Promise((resolve) => setTimeout(resolve, 5));
    drag(below(1), 110, 10, "touch");
    await new Promise((resolve) => setTimeout(resolve, 5));
    drag(above("C"), 110, 210);
    await new Promise((resolve) => setTimeout(resolve, 5));
    click(confirm(), "mouse");
    expect(await done).toMatchObject({ response: [2, 0, 1], n_matches: 3 });
  });

  it("can be changed until it is confirmed: an option taken from another leaves it the former one", () => {
    const matching = new Matching(3);
    matching.match(0, 0);
    matching.match(1, 1);
    matching.match(0, 1);
    expect(matching.options).toEqual([1, 0, null]);
    matching.match(2, 1);
    expect(matching.options).toEqual([null, 0, 1]);
    expect(matching.nextOpen(2)).toBe(0);
    matching.match(0, 2);
    expect(matching.isComplete).toBe(true);
    matching.clear(1);
    expect([matching.isComplete, matching.nextOpen(1)]).toEqual([false, 1]);
  });

  it("answers nothing when the time is over before the confirmation", async () => {
    const done = run("matching", { time_limit: 60 });
    await shown();
    for (const key of ["1", "2", "3"]) press(key);
    expect(await done).toMatchObject({ response: null, timed_out: true, n_matches: 3 });
  });

  it("refuses another number of options than of references", async () => {
    await expect(run("matching", { options: THREE.slice(1) })).rejects.toThrow("two or more; not 3 and 2");
  });
});
