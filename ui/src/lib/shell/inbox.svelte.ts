// How many approvals wait for this person: shown in the navigation, kept up to date by the stream of events.
import { api } from '$lib/api/client';
import { feed } from '$lib/api/feed.svelte';
import { session } from '$lib/session.svelte';
import type { components } from '$lib/api/schema';

type Event = components['schemas']['Event'];

class Inbox {
  count = $state(0);
  /** Whether there are more than were counted. */
  more = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Follows until the answered function is called. In an effect it begins anew with another organisation. */
  start(): () => void {
    void this.load();
    const stop = feed.listen((events) => events.some(concerns) && this.#soon());
    return () => {
      stop();
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  async load() {
    const page = await api.get('/approvals', { query: { limit: 100, organisation: session.organisation ?? undefined } }).catch(() => null);
    if (page) [this.count, this.more] = [page.items.length, page.next != null];
  }

  /** Many events at once are one question. */
  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.load();
    }, 300);
  }
}

const concerns = (event: Event) =>
  event.kind.startsWith('approval.') || event.kind === 'step.waiting' || event.kind === 'run.waiting' || event.kind === 'run.cancelling';

export const inbox = new Inbox();
