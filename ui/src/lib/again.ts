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

/** Milliseconds without a sign of it after which what is fetched is thought lost: a connection may hang for ever. */
const SILENCE = 10_000;
const SILENT = 'TimeoutError';

export interface Heard {
  /** Whoever acts breaks off what is under way. */
  signal: AbortSignal;
  /** It gets on: it has all the time anew. */
  hear: () => void;
}

interface Patience {
  /** Milliseconds. */
  silence?: number;
  /** Nobody waits for it any more. */
  signal?: AbortSignal;
}

/** Does something that may hang, and gives it up when nothing is heard of it for too long. What is large or slow has its time. */
export async function unlessSilent<T>(act: (heard: Heard) => Promise<T>, { silence = SILENCE, signal }: Patience = {}): Promise<T> {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hear = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new DOMException(`Nothing was heard of it for ${silence / 1_000} s.`, SILENT)), silence);
  };
  const givenUp = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason as DOMException), { once: true });
  });
  const left = () => abort.abort(signal?.reason);
  if (signal?.aborted) left();
  signal?.addEventListener('abort', left, { once: true });
  hear();
  try {
    return await Promise.race([act({ signal: abort.signal, hear }), givenUp]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', left);
  }
}

/** Whether it was given up because nothing was heard of it. */
export const wasSilent = (error: unknown) => error instanceof DOMException && error.name === SILENT;
