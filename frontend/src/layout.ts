/** Where the images have to fit: viewport in CSS pixels, and device pixels per CSS pixel. */
export interface Viewport {
  width: number;
  height: number;
  devicePixelRatio: number;
}

const LARGEST_CSS_PX = 256;
/** Two options side by side: margins, the gap, and the buttons' padding and borders. */
const BESIDE_PX = 60;
/** Bar, question, captions, hint and gaps above, between and below the two rows. */
const ABOUT_PX = 256;
/** The same where the style sheet leaves captions and hint out: `(max-height: 500px)`. */
const ABOUT_COMPACT_PX = 150;
const COMPACT_HEIGHT_PX = 500;

/**
 * Edge of every image in CSS pixels: the largest at which reference and options fit without scrolling and each
 * image pixel covers a whole number of device pixels (at least one), so that all images are resampled alike.
 */
export function imageSize(imagePx: number, viewport: Viewport): number {
  const about = viewport.height <= COMPACT_HEIGHT_PX ? ABOUT_COMPACT_PX : ABOUT_PX;
  const room = Math.min((viewport.width - BESIDE_PX) / 2, (viewport.height - about) / 2, LARGEST_CSS_PX);
  const factor = Math.max(1, Math.floor((room * viewport.devicePixelRatio) / imagePx));
  return (imagePx * factor) / viewport.devicePixelRatio;
}

export function currentViewport(): Viewport {
  const { clientWidth, clientHeight } = document.documentElement;
  return {
    width: clientWidth || window.innerWidth,
    height: clientHeight || window.innerHeight,
    devicePixelRatio: window.devicePixelRatio || 1,
  };
}
