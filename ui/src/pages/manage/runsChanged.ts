// Fetches anew when runs change: soon, and not more often than that however many events there are.
import { feed, type RunEvent } from '$lib/api';
import { inFolder } from '$lib/session.svelte';

/** Answers the function that ends it: `$effect(() => runsChanged(list.reload))`. */
export function runsChanged(reload: () => unknown, ms = 400, concerns: (event: RunEvent) => boolean = (event) => event.kind.startsWith('run.')): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [busy, again, ended] = [false, false, false];
  function soon() {
    // A server that takes long is asked again when it has answered.
    if (busy) again = true;
    else timer ??= setTimeout(() => void act(), ms);
  }
  async function act() {
    [timer, busy] = [undefined, true];
    try {
      await reload();
    } finally {
      busy = false;
    }
    if (again && !ended) {
      again = false;
      soon();
    }
  }
  // Each event is told, whether or not it is needed: what concerns may be learned from those before.
  const stop = feed.listen((events) => events.filter(concerns).length > 0 && soon());
  return () => {
    ended = true;
    clearTimeout(timer);
    stop();
  };
}

const ENDS: readonly string[] = ['run.succeeded', 'run.failed', 'run.rolled_back', 'run.cancelled'];
/** Runs that are known to be others'. */
const KNOWN = 5_000;

/** Whether a run of this folder's workflows has ended. Only the launch of a run says its workflow: one that was launched before counts. */
export function endsIn(folder: string): (event: RunEvent) => boolean {
  const others = new Set<string>();
  return ({ kind, run, data }) => {
    if (kind === 'run.launched' && !inFolder(folder, String(data.workflow))) {
      others.add(run);
      if (others.size > KNOWN) others.delete(others.values().next().value!);
    }
    return ENDS.includes(kind) && !others.has(run);
  };
}
