// What the server says of an input while one types: asked when typing pauses, the last answer counts.
import { aborted, api } from '$lib/api';
import { same, type Fault } from '$lib/form';

interface Checked {
  input: unknown;
  fits: boolean;
  faults: Fault[];
}

const PAUSE_MS = 350;

export class Checks {
  #last = $state.raw<Checked | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  /** The server's word about this input, if it has said it. */
  of(input: unknown): Checked | null {
    return this.#last && same(this.#last.input, input) ? this.#last : null;
  }

  ask(workflow: string, input: unknown) {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#timer = setTimeout(() => void this.#ask(workflow, input), PAUSE_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  async #ask(workflow: string, input: unknown) {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const answer = await api.post('/workflows/{name}/input', { path: { name: workflow }, body: { input: input as never }, signal: asking.signal });
      if (this.#asking === asking && answer) this.#last = { input, fits: answer.fits, faults: answer.faults };
    } catch (error) {
      // The launch will say what is wrong with the server or the workflow; a form isn't the place for it.
      if (!aborted(error)) this.#last = null;
    }
  }
}
