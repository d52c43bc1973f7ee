// The scenarios beside a workflow: their text with its draft, saving, somebody else's change in between.
import { api, asProblem, type ApiProblem } from '$lib/api';
import { beginWith, dropDraft, keepDraft, readDraft } from './draft';

/** What the first scenario of a workflow begins with. */
const first = (name: string) => `//! What has to come of ${name}.

fn test_it_succeeds() {
    let report = scenario("${name}", #{}).run();
    assert_eq(report.state, "succeeded");
}
`;

export interface File {
  scenarios?: string | null;
  scenarios_digest?: string | null;
}

export class ScenarioFile {
  /** What is saved; a digest of null: there is no file. */
  base = $state.raw<{ source: string; digest: string | null }>({ source: '', digest: null });
  text = $state.raw('');
  /** Somebody else's, which has to be looked at before one saves. */
  theirs = $state.raw<{ source: string; digest: string | null } | null>(null);
  problem = $state.raw<ApiProblem | null>(null);
  busy = $state(false);
  readonly name: string;
  changed = $derived(this.text !== this.base.source);

  constructor(workflow: string, file: File | null) {
    this.name = workflow;
    this.base = { source: file?.scenarios ?? '', digest: file?.scenarios_digest ?? null };
    const begin = beginWith(this.base, readDraft(this.#key));
    this.text = begin.kind === 'fresh' ? this.base.source : begin.draft.source;
    if (begin.kind !== 'overtaken') return;
    this.theirs = this.base;
    this.base = { source: begin.draft.base, digest: begin.draft.digest };
  }

  get #key() {
    return `${this.name}.test`;
  }

  keep() {
    keepDraft(this.#key, { digest: this.base.digest, base: this.base.source, source: this.text });
  }

  start() {
    this.text = first(this.name);
  }

  /** Goes on with a text, on top of theirs. */
  onTop(text: string) {
    if (this.theirs) this.base = this.theirs;
    this.theirs = null;
    this.text = text;
    this.keep();
  }

  discard() {
    this.text = this.base.source;
    dropDraft(this.#key);
  }

  /** Whether it is saved; else there is a problem, or theirs to look at. */
  async save(): Promise<boolean> {
    const text = this.text;
    this.busy = true;
    this.problem = null;
    try {
      const { digest } = this.base;
      const answer = await api.put('/workflows/{name}/scenarios', { path: { name: this.name }, body: { scenarios: text, ...(digest === null ? {} : { expected: digest }) } });
      this.base = { source: answer.scenarios_digest ? text : '', digest: answer.scenarios_digest ?? null };
      if (!answer.scenarios_digest && this.text === text) this.text = '';
      this.keep();
      return true;
    } catch (error) {
      this.problem = asProblem(error);
      if (this.problem.code === 'precondition_failed') await this.#look();
      return false;
    } finally {
      this.busy = false;
    }
  }

  async #look() {
    const now: File | null = await api.get('/workflows/{name}/file', { path: { name: this.name } }).catch(() => null);
    if (!now) return;
    this.problem = null;
    this.theirs = { source: now.scenarios ?? '', digest: now.scenarios_digest ?? null };
  }
}
