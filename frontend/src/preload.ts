import { backoffMs, pause } from "./transport/backoff";
import { loadImage } from "./trial/load-image";

/** More at once starve each other on slow lines, and browsers queue them anyway. */
const AT_ONCE = 6;

/** Loads and decodes images ahead of need, a few at a time, each for as long as it takes. */
export class ImagePreloader {
  readonly #images = new Map<string, Promise<HTMLImageElement>>();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(private readonly load: (url: string) => Promise<HTMLImageElement> = loadImage) {}

  /** Starts loading what is not there yet, in this order. */
  want(urls: Iterable<string>): void {
    for (const url of urls) if (!this.#images.has(url)) this.#images.set(url, this.#fetch(url));
  }

  /** The decoded image. It is handed over: the preloader keeps no hold on it. */
  async take(url: string): Promise<HTMLImageElement> {
    this.want([url]);
    const image = await (this.#images.get(url) as Promise<HTMLImageElement>);
    this.#images.delete(url);
    return image;
  }

  async #fetch(url: string): Promise<HTMLImageElement> {
    for (let failures = 0; ; ) {
      await this.#slot();
      try {
        return await this.load(url);
      } catch {
        // A lost connection and a missing file look alike here; the trial shows that it is still loading.
        failures += 1;
      } finally {
        this.#release();
      }
      await pause(backoffMs(failures));
    }
  }

  async #slot(): Promise<void> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running += 1;
  }

  #release(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#running -= 1;
  }
}
