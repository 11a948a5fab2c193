import { initJsPsych } from "jspsych";
import { beforeEach, describe, expect, it, vi } from "vitest";
import IriTwoAfcPlugin, { type TwoAfcData } from "../src/plugins/iri-two-afc";
import { button, click, furnishBrowser, press, until } from "./browser";

const IMAGES = { reference: "/r.png", options: ["/left.png", "/right.png"] };

let root: HTMLElement;

beforeEach(() => {
  furnishBrowser();
  root = document.createElement("main");
  document.body.replaceChildren(root);
});

/** Runs one trial in jsPsych itself; gives its data row. */
function run(parameters: Record<string, unknown> = {}) {
  const jsPsych = initJsPsych({ display_element: root });
  const timeline = [{ type: IriTwoAfcPlugin, ...IMAGES, pointer_guard: 0, ...parameters }];
  const done = jsPsych.run(timeline).then(() => jsPsych.data.get().values()[0] as TwoAfcData);
  return { jsPsych, done };
}

function shown(): Promise<Element> {
  // The phase changes in the frame that makes the images visible; onset is the next one.
  return until(() => document.querySelector("[data-phase=shown]")).then(async (trial) => {
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 5)));
    return trial;
  });
}

/** Timestamps of the animation frames from now on. */
function watchFrames(): number[] {
  const frames: number[] = [];
  const original = window.requestAnimationFrame.bind(window);
  vi.spyOn(window, "requestAnimationFrame").mockImplementation((callback) =>
    original((timestamp) => {
      frames.push(timestamp);
      callback(timestamp);
    }),
  );
  return frames;
}

describe("an answer", () => {
  it.each([
    ["ArrowLeft", 0],
    ["f", 0],
    ["F", 0],
    ["1", 0],
    ["ArrowRight", 1],
    ["j", 1],
    ["2", 1],
  ])("by the key %s chooses option %i", async (key, option) => {
    const { done } = run();
    await shown();
    press(key);
    expect(await done).toMatchObject({ response: option, input: "key", timed_out: false });
  });

  it.each([
    ["mouse", "mouse"],
    ["touch", "touch"],
    ["pen", "touch"],
    ["", "key"],
  ] as const)("with the pointer '%s' is recorded as %s", async (pointer, input) => {
    const { done } = run();
    await shown();
    click(button("Right image") as Element, pointer);
    expect(await done).toMatchObject({ response: 1, input });
  });

  it("is timed from the frame after the one that showed the images to the event itself", async () => {
    const frames = watchFrames();
    const { done } = run();
    await shown();
    const event = new KeyboardEvent("keydown", { key: "f", bubbles: true });
    document.body.dispatchEvent(event);
    const data = await done;
    expect(frames).toContain(data.onset_frame_ms);
    expect(data.rt_raw_ms).toBeCloseTo(event.timeStamp - data.onset_frame_ms, 6);
    expect(data.rt).toBe(Math.round(data.rt_raw_ms as number));
  });

  it("carries jsPsych's columns and the addresses in the order shown", async () => {
    const { done } = run();
    await shown();
    press("j");
    expect(await done).toMatchObject({
      trial_type: "iri-two-afc",
      trial_index: 0,
      time_elapsed: expect.any(Number),
      stimulus: "/r.png",
      options: ["/left.png", "/right.png"],
    });
  });
});

describe("is not an answer:", () => {
  it("a key before the images are painted", async () => {
    let load: (image: HTMLImageElement) => void = () => undefined;
    const loading = new Promise<HTMLImageElement>((resolve) => {
      load = resolve;
    });
    const { done } = run({ load_image: () => loading });
    await until(() => document.querySelector("[data-phase=loading]"));
    press("f");
    load(new Image());
    await shown();
    press("j");
    expect((await done).response).toBe(1);
  });

  it("a key held down, with Ctrl, or of no option", async () => {
    const { done } = run();
    await shown();
    press("f", { repeat: true });
    press("f", { ctrlKey: true });
    press("x");
    press("j");
    expect((await done).response).toBe(1);
  });

  it("a key where shortcuts are turned off; the buttons still work", async () => {
    const { done } = run({ keyboard_shortcuts: false });
    await shown();
    press("f");
    expect(button("Left image")?.hasAttribute("aria-keyshortcuts")).toBe(false);
    click(button("Right image") as Element, "");
    expect((await done).response).toBe(1);
  });

  it("the second half of a double click on the trial before", async () => {
    const frames = watchFrames();
    const { done } = run({ pointer_guard: 200 });
    await shown();
    const first = frames.at(-1) as number;
    click(button("Left image") as Element, "mouse", first + 100);
    expect(button("Left image")?.isConnected).toBe(true);
    await until(() => button("Right image")?.getAttribute("aria-disabled") === "false");
    click(button("Right image") as Element, "mouse", first + 500);
    expect((await done).response).toBe(1);
  });

  it("a second answer", async () => {
    const { done, jsPsych } = run();
    await shown();
    press("f");
    press("j");
    click(button("Right image") as Element, "mouse");
    expect((await done).response).toBe(0);
    expect(jsPsych.data.get().count()).toBe(1);
  });
});

describe("the trial", () => {
  it("names its images and keeps sides physical", async () => {
    const { done } = run();
    const trial = await shown();
    expect(trial.querySelector("[role=img]")?.getAttribute("aria-label")).toBe("Image to compare");
    const options = trial.querySelector(".iri-trial-options") as HTMLElement;
    expect(options.dir).toBe("ltr");
    const names = [...options.querySelectorAll("button")].map((option) => option.getAttribute("aria-label"));
    expect(names).toEqual(["Left image", "Right image"]);
    const addresses = [...options.querySelectorAll("img")].map((image) => image.getAttribute("src"));
    expect(addresses).toEqual(["/left.png", "/right.png"]);
    expect(trial.outerHTML).not.toContain("style=");
    press("f");
    await done;
  });

  it("ends without an answer at the time limit", async () => {
    const { done } = run({ time_limit: 30 });
    expect(await done).toMatchObject({
      response: null,
      rt: null,
      rt_raw_ms: null,
      timed_out: true,
      input: null,
    });
  });

  it("hides the images after their frames and still takes the answer", async () => {
    const { done } = run({ image_frames: 2 });
    await until(() => document.querySelector("[data-phase=hidden]"));
    press("f");
    expect((await done).response).toBe(0);
  });

  it("counts a loss of focus once", async () => {
    const { done } = run();
    await shown();
    vi.mocked(document.hasFocus).mockReturnValue(false);
    window.dispatchEvent(new Event("blur"));
    document.dispatchEvent(new Event("visibilitychange"));
    vi.mocked(document.hasFocus).mockReturnValue(true);
    window.dispatchEvent(new Event("focus"));
    press("f");
    expect((await done).focus_lost).toBe(1);
  });

  it("shows the reference first, then noise, then the options, from which the answer is timed", async () => {
    const phases: string[] = [];
    new MutationObserver((changes) => {
      for (const { target } of changes) phases.push((target as HTMLElement).dataset.phase ?? "");
    }).observe(root, { subtree: true, attributeFilter: ["data-phase"] });
    const frames = watchFrames();
    const { done } = run({ reference_duration: 60, mask_duration: 40 });
    const reference = await until(() => document.querySelector<HTMLElement>("[data-phase=reference]"));
    expect(reference.dataset.referenceFirst).toBe("");
    const first = frames.at(-1) as number;
    press("f"); // too early: the options are not there
    await shown();
    press("j");
    const data = await done;
    expect(data.response).toBe(1);
    expect(phases).toEqual(expect.arrayContaining(["reference", "mask", "shown"]));
    expect(data.onset_frame_ms - first).toBeGreaterThanOrEqual(100 - 8);
  });

  it("asks how sure somebody is, by key or click, after the answer", async () => {
    const { done } = run({ confidence_levels: 3 });
    await shown();
    press("f");
    const scale = await until(() => document.querySelector("[data-phase=confidence] .iri-trial-confidence"));
    expect(document.activeElement).toBe(scale);
    expect(button("1: Guessed")).toBeDefined();
    press("f");
    press("4");
    press("3");
    expect(await done).toMatchObject({ response: 0, confidence: 3, confidence_rt: expect.any(Number) });
  });

  it("does not ask for confidence in an answer that was not given", async () => {
    const { done } = run({ confidence_levels: 3, time_limit: 20 });
    expect(await done).toMatchObject({ timed_out: true, confidence: null });
  });

  it("refuses any other number of options by name", async () => {
    const { done } = run({ options: ["/only.png"] });
    await expect(done).rejects.toThrow("options must be two image addresses, not 1");
  });
});

describe("simulated", () => {
  it("as data only, it gives every declared datum", async () => {
    const jsPsych = initJsPsych({ display_element: root });
    await jsPsych.simulate([{ type: IriTwoAfcPlugin, ...IMAGES }], "data-only");
    const row = jsPsych.data.get().values()[0];
    expect(Object.keys(row)).toEqual(expect.arrayContaining(Object.keys(IriTwoAfcPlugin.info.data)));
    expect([0, 1]).toContain(row.response);
  });

  it("visually, it answers as told", async () => {
    const jsPsych = initJsPsych({ display_element: root });
    const options = { default: { data: { response: 1, rt: 40 } } };
    await jsPsych.simulate([{ type: IriTwoAfcPlugin, ...IMAGES }], "visual", options);
    expect(jsPsych.data.get().values()[0]).toMatchObject({ response: 1, input: "key" });
  });
});
