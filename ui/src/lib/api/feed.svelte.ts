// One stream of what happens everywhere, shared by all parts of the interface: browsers allow few connections. Runs' states,
// steps in doubt, decisions and workflows; what single steps do is told by the run's own stream.
import { api } from './client';
import { follow, type Following, type StreamState } from './stream';
import type { components } from './schema';

type Event = components['schemas']['Event'];
type Listener = (events: Event[]) => void;

const KINDS = 'run.*,step.in_doubt,step.resolved,step.waiting,approval.*,workflow.*,lab.*';

/** It may still be heard: a connection that was lost at once is tried again soon. */
const coming = (state: StreamState) => state.kind === 'connecting' || state.kind === 'waiting';

class Feed {
  /** The connection's state, for a notice. */
  state = $state.raw<StreamState>({ kind: 'connecting' });
  /** After a break: how many events had been missed. A new object each time. */
  caughtUp = $state.raw<{ count: number } | null>(null);
  #listeners = new Set<Listener>();
  #following: Following | undefined;
  /** Who waits until it is heard whether there is a connection. */
  #waiting = new Set<() => void>();

  /** Hears of events from now on, in batches; answers the function that ends it. In a component: `$effect(() => feed.listen(…))`. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#open();
    return () => {
      this.#listeners.delete(listener);
      // A page that is left is often followed by one that listens, too.
      setTimeout(() => this.#listeners.size === 0 && this.close(), 500);
    };
  }

  /** Connects, and waits until it hears, though not for long. Who asks for a list after that misses no change of it; before, what
   * happens between the answer and the connection would be lost. */
  ready(ms = 1_500): Promise<void> {
    this.#open();
    if (!coming(this.state)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  #open() {
    this.#following ??= follow(`/events?kinds=${KINDS}`, {
      onEvents: (events) => this.#listeners.forEach((one) => one(events)),
      onState: (state) => {
        this.state = state;
        if (!coming(state)) this.#waiting.forEach((done) => done());
        // The client notices that the session has ended.
        if (state.kind === 'refused' && state.problem.code === 'unauthenticated') void api.get('/session').catch(() => {});
      },
      onCaughtUp: (count) => (this.caughtUp = { count }),
    });
  }

  /** Tries again now. */
  retry() {
    this.#following?.retry();
  }

  close() {
    this.#following?.close();
    this.#following = undefined;
    this.state = { kind: 'connecting' };
  }
}

export const feed = new Feed();
