import { currentViewport } from "./layout";
import { isFullscreen } from "./timing/fullscreen";

/** Facts about screen and browser that a timing or an image size may depend on. */
export function deviceFacts(imageSizePx: number, imagePx: number): Record<string, unknown> {
  const viewport = currentViewport();
  return {
    user_agent: navigator.userAgent,
    browser_language: navigator.language,
    screen_width: window.screen.width,
    screen_height: window.screen.height,
    viewport_width: viewport.width,
    viewport_height: viewport.height,
    is_fullscreen: isFullscreen(),
    device_pixel_ratio: viewport.devicePixelRatio,
    touch_points: navigator.maxTouchPoints,
    is_small_touch_device: isSmallTouchDevice(),
    has_reduced_motion: window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    image_px: imagePx,
    image_css_px: imageSizePx,
    image_device_px: Math.round(imageSizePx * viewport.devicePixelRatio),
  };
}

/** A phone: its main pointer is a finger, and its screen's short side is below 600 CSS pixels. */
export function isSmallTouchDevice(): boolean {
  const shortSide = Math.min(window.screen.width, window.screen.height);
  return window.matchMedia("(pointer: coarse)").matches && shortSide < 600;
}
