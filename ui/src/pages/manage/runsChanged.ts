// Fetches anew when runs change: soon, and not more often than that however many events there are.
import { feed } from '$lib/api';

/** Answers the function that ends it: `$effect(() => runsChanged(list.reload))`. */
export function runsChanged(reload: () => unknown, ms = 400): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = feed.listen((events) => {
    if (timer || !events.some((event) => event.kind.startsWith('run.'))) return;
    timer = setTimeout(() => {
      timer = undefined;
      reload();
    }, ms);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}
