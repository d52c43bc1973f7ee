// What is filled in, kept at the server while somebody goes on: the same draft is there on another device, until it is launched.
import { api, asProblem } from '$lib/api';
import { same } from '$lib/form';

const PAUSE_MS = 600;

export interface Kept {
  input: unknown;
  step: string;
  version: number;
  updated_at_ms: number;
}

/** The draft at the server; none if there is none. */
export async function fetchDraft(workflow: string, signal?: AbortSignal): Promise<Kept | null> {
  try {
    return (await api.get('/drafts/{name}', { path: { name: workflow }, signal })) ?? null;
  } catch (error) {
    if (asProblem(error).code === 'not_found') return null;
    throw error;
  }
}

export class ServerDraft {
  /** `other`: it was changed, launched or thrown away on another device. */
  state = $state<'empty' | 'keeping' | 'kept' | 'other' | 'failed'>('empty');
  keptAtMs = $state<number | null>(null);
  trouble = $state('');
  #version: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: { input: unknown; step: string } | undefined;
  #last: { input: unknown; step: string } | undefined;
  #busy: Promise<void> | undefined;
  #ended = false;

  constructor(private workflow: string, kept: Kept | null) {
    this.#version = kept?.version ?? 0;
    if (kept) {
      this.state = 'kept';
      this.keptAtMs = kept.updated_at_ms;
      this.#last = { input: kept.input, step: kept.step };
    }
  }

  /** Keeps it when typing pauses. */
  keep(input: unknown, step: string) {
    if (this.#ended || this.state === 'other' || (this.#last && this.#last.step === step && same(this.#last.input, input))) return;
    this.#waiting = { input, step };
    this.state = 'keeping';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), PAUSE_MS);
  }

  /** Keeps at once what waits: the page is being left. */
  async flush({ keepalive = false } = {}): Promise<void> {
    clearTimeout(this.#timer);
    await this.#busy;
    const now = this.#waiting;
    if (!now || this.#ended) return;
    this.#waiting = undefined;
    this.#busy = this.#send(now, keepalive);
    await this.#busy;
    this.#busy = undefined;
  }

  async #send(now: { input: unknown; step: string }, keepalive: boolean) {
    try {
      // No version yet: there is none at the server, as far as this page knows.
      const answer = await api.put('/drafts/{name}', { path: { name: this.workflow }, body: { input: now.input as never, step: now.step }, ...(this.#version ? { ifMatch: this.#version } : { ifNoneMatch: '*' as const }), keepalive });
      this.#version = answer!.version;
      this.#last = now;
      this.keptAtMs = Date.now();
      this.trouble = '';
      if (!this.#waiting) this.state = 'kept';
    } catch (error) {
      const problem = asProblem(error);
      this.state = problem.code === 'precondition_failed' ? 'other' : 'failed';
      this.trouble = problem.detail;
      // What failed is tried again with the next change.
      this.#last = undefined;
    }
  }

  /** Launched, or thrown away. */
  async drop() {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#busy;
    this.#waiting = undefined;
    await api.delete('/drafts/{name}', { path: { name: this.workflow } }).catch(() => {});
  }

  stop() {
    void this.flush({ keepalive: true });
  }
}
