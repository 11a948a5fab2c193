const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/** Wait before the n-th try again (n from 1), in ms: doubling, capped, with jitter between half and all of it. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return wait * (0.5 + random() / 2);
}

/** Waits, but not longer than until the browser says that it is online again. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
  });
}

/** Calls until it works; only errors that `isTemporary` knows are tried again. */
export async function persist<T>(
  call: () => Promise<T>,
  isTemporary: (error: unknown) => boolean,
  onTrouble: (failures: number) => void = () => undefined,
): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await call();
    } catch (error) {
      if (!isTemporary(error)) throw error;
      failures += 1;
      onTrouble(failures);
      await pause(backoffMs(failures));
    }
  }
}
