// Keeps a drawing at the server: one save at a time, the newest text next.
import { api, asProblem, survivesLeaving, type Schema } from '$lib/api';

const PAUSE_MS = 500;

export interface Drawn {
  text: string;
  /** The deployed document that it was made from. */
  base: string;
}
const same = (a: Drawn | null, b: Drawn) => a?.text === b.text && a.base === b.base;

export class Keeper {
  /** `other`: somebody else has changed it, and it isn't kept any more. */
  state = $state<'kept' | 'keeping' | 'failed' | 'other'>('kept');
  trouble = $state('');
  /** What is at the server, or what there was when the page was opened. */
  #kept: Drawn;
  /** Null: nothing is at the server, as far as this page knows. */
  #version: number | null;
  /** What was sent last: it may be there though its answer was lost. */
  #sent: Drawn | null = null;
  #saves: Promise<void> = Promise.resolve();
  #sending = false;
  #ended = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly lab: string, private readonly query: { organisation?: string }, there: Schema<'DrawingView'> | null, private readonly drawn: () => Drawn) {
    this.#kept = drawn();
    this.#version = there?.version ?? null;
  }

  /** Whether there is a drawing at the server. */
  get exists() {
    return this.#version !== null;
  }

  /** Saves it when typing pauses. */
  later() {
    if (this.#ended || this.state === 'other') return;
    this.state = 'keeping';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.now(), PAUSE_MS);
  }

  /** Saves it now, after a save that is under way; resolves when what was drawn at this moment is kept, or can't be. */
  now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#saves = this.#saves.then(() => this.#save());
    return this.#saves;
  }

  /** The page goes. Whether all is kept, or surely will be: what browsers send for a page that is gone is bounded, and nothing waits there. */
  leave(): boolean {
    const drawn = this.drawn();
    if (this.#ended || this.state === 'other' || same(this.#kept, drawn)) return true;
    // One that waits for another one is sent only if the page lives that long; what couldn't be sent before may fail again.
    const surely = survivesLeaving(drawn) && (this.#sending ? same(this.#sent, drawn) : this.state !== 'failed');
    void this.now();
    return surely;
  }

  /** It was thrown away: nothing is to be kept any more. */
  end() {
    clearTimeout(this.#timer);
    this.#ended = true;
  }

  async #save() {
    const drawn = this.drawn();
    if (this.#ended || this.state === 'other') return;
    this.#sending = true;
    try {
      if (!same(this.#kept, drawn) || !this.exists) await this.#put(drawn);
      this.trouble = '';
      // Somebody may have gone on meanwhile: that is the next save.
      if (same(drawn, this.drawn())) this.state = 'kept';
    } catch (error) {
      const problem = asProblem(error);
      this.state = problem.code === 'precondition_failed' ? 'other' : 'failed';
      this.trouble = problem.detail;
    }
    this.#sending = false;
  }

  async #put(drawn: Drawn, again = true): Promise<void> {
    const sentBefore = this.#sent;
    this.#sent = drawn;
    try {
      const condition = this.#version === null ? { ifNoneMatch: '*' as const } : { ifMatch: this.#version };
      const answer = await api.put('/labs/{lab}/drawing', { path: { lab: this.lab }, query: this.query, body: drawn, ...condition, keepalive: true });
      [this.#version, this.#kept] = [answer!.version, drawn];
    } catch (error) {
      if (!again || asProblem(error).code !== 'precondition_failed' || !(await this.#isMine(drawn, sentBefore))) throw error;
      if (!same(this.#kept, drawn)) await this.#put(drawn, false);
    }
  }

  /** Whether what is there was sent from here: a save whose answer was lost. Goes on from there then. */
  async #isMine(...sent: (Drawn | null)[]): Promise<boolean> {
    const there = await api.get('/labs/{lab}/drawing', { path: { lab: this.lab }, query: this.query }).catch(() => null);
    if (!there || !sent.some((one) => one && same(one, there))) return false;
    [this.#version, this.#kept] = [there.version, { text: there.text, base: there.base }];
    return true;
  }
}
