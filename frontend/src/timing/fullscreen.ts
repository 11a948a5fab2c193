/** Whether the page fills the screen, by its own request or by the browser's key. */
export function isFullscreen(): boolean {
  return Boolean(document.fullscreenElement) || window.matchMedia("(display-mode: fullscreen)").matches;
}

/** Calls back each time that the page no longer fills the screen, from now on. */
export function onFullscreenLeft(report: () => void): void {
  let was = isFullscreen();
  const check = (): void => {
    const is = isFullscreen();
    if (was && !is) report();
    was = is;
  };
  document.addEventListener("fullscreenchange", check);
  // The browser's key changes no element: only the window's size and this query tell of it.
  window.addEventListener("resize", check);
}
