// What a browser gave up on the way is tried again before anybody is told: a network that changes (Chromium ends what is under way as soon
// as an address comes or goes), a server that is started anew.

/** Waits before another try, in milliseconds. */
const WAITS = [200, 800];

interface Terms {
  lost?: (error: unknown) => boolean;
  signal?: AbortSignal;
}

/** Does something until it succeeds, three times at most. What isn't `lost` isn't tried again, nor what nobody waits for any more. */
export async function again<T>(act: () => Promise<T>, { lost = () => true, signal }: Terms = {}): Promise<T> {
  for (const wait of WAITS) {
    try {
      return await act();
    } catch (error) {
      if (signal?.aborted || !lost(error)) throw error;
    }
    await pause(wait, signal);
  }
  return act();
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const left = () => {
      clearTimeout(timer);
      reject(new DOMException('Nobody waits for it any more.', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', left);
      resolve();
    }, ms);
    signal?.addEventListener('abort', left, { once: true });
  });
}
