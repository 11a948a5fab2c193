/** Loads and decodes an image, so that it can be painted in the frame that shows it. */
export async function loadImage(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** Waits before the attempts 2, 3, ... of loading an image (ms); the last one is repeated for ever. */
const WAITS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];

/** `loadImage`, tried again for as long as it takes. */
export async function loadImagePersistently(url: string): Promise<HTMLImageElement> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await loadImage(url);
    } catch {
      // decode() rejects alike for a lost connection and for a broken file; only the former mends itself.
      const wait = WAITS_MS[Math.min(attempt, WAITS_MS.length - 1)] ?? 8_000;
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
    }
  }
}
