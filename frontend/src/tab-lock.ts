/** How long a page that is just being left may still hold its lock. */
const PATIENCE_MS = 1_500;

/**
 * Makes this tab the only one that runs a session in this browser. Gives false if another tab does (unless
 * `steal`); calls `onLost` when another tab takes over later. Browsers offer locks to secure pages only; without
 * them every tab is let in, and the server's sequence numbers are what keeps answers single.
 */
export async function holdTab(name: string, onLost: () => void, steal = false): Promise<boolean> {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    let isHeld = false;
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const held = navigator.locks.request(name, steal ? { steal } : { signal: patience }, () => {
      isHeld = true;
      resolve(true);
      return new Promise<never>(() => undefined);
    });
    held.catch(() => (isHeld ? onLost() : resolve(false)));
  });
}
