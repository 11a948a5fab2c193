/** Where the images have to fit: viewport in CSS pixels, and device pixels per CSS pixel. */
export interface Viewport {
  width: number;
  height: number;
  devicePixelRatio: number;
}

/** How a format lays its images out, and what else needs height, in CSS pixels. */
export interface Grid {
  columns: number;
  rows: number;
  /** Beyond bar, question, captions and hint: a confirm button, rows of labels. */
  extraPx: number;
}

/**
 * "whole": each image pixel covers a whole number of device pixels, where that fits; "smooth": as large as there
 * is room.
 */
export type Scaling = "whole" | "smooth";

const LARGEST_CSS_PX = 256;
const SMALLEST_CSS_PX = 48;
/** Left and right of the stage; between two columns; a button's padding and borders. */
const MARGIN_PX = 24;
const GAP_PX = 12;
const BUTTON_PX = 16;
/** Bar, question, captions, hint and gaps above, between and below the rows. */
const ABOUT_PX = 264;
/** The same where the style sheet leaves captions and hint out: `(max-height: 500px)`. */
const ABOUT_COMPACT_PX = 150;
const COMPACT_HEIGHT_PX = 500;

/**
 * Edge of every image of a trial in CSS pixels: the largest at which all of them fit without scrolling, in whole
 * device pixels. References and options have one size, so that all are resampled alike.
 */
export function imageSize(imagePx: number, viewport: Viewport, grid: Grid, scaling: Scaling): number {
  const ratio = viewport.devicePixelRatio;
  const room = Math.floor(roomFor(viewport, grid) * ratio);
  const whole = Math.floor(room / imagePx) * imagePx;
  return (scaling === "whole" && whole > 0 ? whole : room) / ratio;
}

function roomFor(viewport: Viewport, { columns, rows, extraPx }: Grid): number {
  const about = (viewport.height <= COMPACT_HEIGHT_PX ? ABOUT_COMPACT_PX : ABOUT_PX) + extraPx;
  const beside = MARGIN_PX + GAP_PX * (columns - 1) + BUTTON_PX * columns;
  const wide = (viewport.width - beside) / columns;
  const high = (viewport.height - about) / rows;
  return Math.max(SMALLEST_CSS_PX, Math.min(wide, high, LARGEST_CSS_PX));
}

export function currentViewport(): Viewport {
  const { clientWidth, clientHeight } = document.documentElement;
  return {
    width: clientWidth || window.innerWidth,
    height: clientHeight || window.innerHeight,
    devicePixelRatio: window.devicePixelRatio || 1,
  };
}
