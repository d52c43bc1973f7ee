// What is filled in, kept at the server while somebody goes on: the same draft is there on another device, until it is launched.
import { api, asProblem, survivesLeaving } from '$lib/api';
import { same } from '$lib/form';

const PAUSE_MS = 600;
/** After which it is tried again by itself, when the server couldn't keep it. */
const AGAIN_MS = 10_000;

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
  /** What was sent without an answer: it may be there. */
  #unsure: { input: unknown; step: string } | undefined;
  #busy: Promise<void> | undefined;
  #ended = false;
  #gone = false;

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
    while (this.#busy) await this.#busy;
    const now = this.#waiting;
    if (!now || this.#ended || this.state === 'other') return;
    this.#waiting = undefined;
    this.state = 'keeping';
    this.#busy = this.#send(now, keepalive);
    await this.#busy;
  }

  async #send(now: { input: unknown; step: string }, keepalive: boolean) {
    try {
      this.#version = await this.#put(now, keepalive).catch(async (error: unknown) => {
        if (asProblem(error).code !== 'precondition_failed' || !(await this.#wasMine())) throw error;
        return this.#put(now, keepalive);
      });
      this.#unsure = undefined;
      this.#last = now;
      this.keptAtMs = Date.now();
      this.trouble = '';
      if (!this.#waiting) this.state = 'kept';
    } catch (error) {
      const problem = asProblem(error);
      if (problem.code === 'unreachable') this.#unsure = now;
      this.state = problem.code === 'precondition_failed' ? 'other' : 'failed';
      this.trouble = problem.detail;
      // What failed waits: for “Try again”, for a while, or for the next change, which takes its place.
      this.#last = undefined;
      this.#waiting ??= now;
      if (this.state === 'failed' && !this.#gone) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.flush(), AGAIN_MS);
      }
    }
    this.#busy = undefined;
  }

  async #put(now: { input: unknown; step: string }, keepalive: boolean): Promise<number> {
    // No version yet: there is none at the server, as far as this page knows.
    const condition = this.#version ? { ifMatch: this.#version } : { ifNoneMatch: '*' as const };
    const answer = await api.put('/drafts/{name}', { path: { name: this.workflow }, body: { input: now.input as never, step: now.step }, ...condition, keepalive });
    return answer!.version;
  }

  /** Whether what is there was sent from here, and its answer lost. Goes on from there then. */
  async #wasMine(): Promise<boolean> {
    const sent = this.#unsure;
    const there = sent && (await fetchDraft(this.workflow).catch(() => null));
    if (!there || there.step !== sent.step || !same(there.input, sent.input)) return false;
    this.#version = there.version;
    return true;
  }

  /** Launched, or thrown away. */
  async drop() {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#busy;
    this.#waiting = undefined;
    await api.delete('/drafts/{name}', { path: { name: this.workflow } }).catch(() => {});
  }

  /** The page goes, to another one of ours or altogether: what browsers send then is bounded, and isn't waited for. Whether all is
   * kept, or surely will be. */
  leave(): boolean {
    const waits = this.#waiting;
    if (this.#ended || this.state === 'other' || (!waits && !this.#busy)) return true;
    const surely = !waits || (!this.#busy && this.state !== 'failed' && survivesLeaving({ input: waits.input, step: waits.step }));
    void this.flush({ keepalive: true });
    return surely;
  }
  /** The form is left. */
  stop() {
    this.#gone = true;
    this.leave();
  }
}
