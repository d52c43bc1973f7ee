// Asks the server what is wrong with a source while one types: one question at a time, the last one counts.
import { aborted, api, asProblem, type ApiProblem, type Schema } from '$lib/api';
import type { Diagnostic } from './CodeEditor.svelte';

const PAUSE = 350;

export class Checks {
  found = $state.raw<Diagnostic[]>([]);
  /** Whether what is shown is of the source as it is now. */
  current = $state(false);
  problem = $state.raw<ApiProblem | null>(null);
  /** What the header says, as it could be read last: a mistake that is being typed takes no form away. */
  header = $state.raw<Pick<Schema<'Checked'>, 'workflow' | 'grants' | 'refused_by_policy'> | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  ask(name: string, source: string, at: 'once' | 'later' = 'later') {
    this.stop();
    this.current = false;
    this.#timer = setTimeout(() => void this.#ask(name, source), at === 'once' ? 0 : PAUSE);
  }

  async #ask(name: string, source: string) {
    const mine = (this.#asking = new AbortController());
    try {
      const answer = await api.post('/workflows/{name}/check', { path: { name }, body: { source }, signal: mine.signal });
      if (mine !== this.#asking) return;
      this.found = answer.diagnostics as Diagnostic[];
      if (answer.workflow) this.header = answer;
      this.problem = null;
      this.current = true;
    } catch (error) {
      if (!aborted(error) && mine === this.#asking) this.problem = asProblem(error);
    }
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}
