/** Counts animation frames while a trial runs: an estimate of the refresh rate, and how many were missed. */
export class FrameMeter {
  #handle = 0;
  #last: number | null = null;
  #intervals: number[] = [];
  #isLive: () => boolean = () => true;

  readonly #onVisibility = (): void => {
    // A hidden page gets no frames; that is a loss of focus, not of frames.
    this.#last = null;
  };

  /** `isLive`: whether there is still something to measure; a trial that is taken off the page says nothing more. */
  start(isLive: () => boolean = () => true): void {
    this.#isLive = isLive;
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#handle = requestAnimationFrame(this.#tick);
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#onVisibility);
    cancelAnimationFrame(this.#handle);
  }

  /** Frames per second from the median interval, to one decimal; null below eight intervals. */
  get refreshHz(): number | null {
    if (this.#intervals.length < 8) return null;
    return Math.round(10_000 / median(this.#intervals)) / 10;
  }

  /** Frames that never came: an interval of three periods counts two. */
  get dropped(): number {
    if (this.#intervals.length < 2) return 0;
    const period = median(this.#intervals);
    return this.#intervals.reduce((sum, interval) => sum + Math.max(0, Math.round(interval / period) - 1), 0);
  }

  readonly #tick = (timestamp: number): void => {
    if (!this.#isLive()) {
      this.stop();
      return;
    }
    if (this.#last !== null) this.#intervals.push(timestamp - this.#last);
    this.#last = timestamp;
    this.#handle = requestAnimationFrame(this.#tick);
  };
}

/** Timestamp (ms) of the next animation frame. */
export function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
