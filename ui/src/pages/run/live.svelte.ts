// A run as it goes: its events from the first on, put into the model in batches, one batch at most for each picture drawn.
import { follow, type Following, type RunEvent, type StreamState } from '$lib/api';
import { RunModel, type Line, type Step, type UndoEntry } from './model';

export class Live {
  readonly model = new RunModel();
  /** Rises with every batch; what is derived from the model reads it. */
  version = $state(0);
  stream = $state.raw<StreamState>({ kind: 'connecting' });
  /** After a break: how many events had been missed. */
  caughtUp = $state.raw<{ count: number } | null>(null);
  /** Whether everything that was there when the page was opened has come. */
  loaded = $state(false);
  #waiting: RunEvent[] = [];
  #planned = false;
  #following: Following | undefined;
  #upTo = 0;

  constructor(readonly id: string) {}

  /** Follows; `last` is the run's last event when the page was opened. Ends with the function that is answered. */
  open(last: number): () => void {
    this.#upTo = last;
    this.#following = follow(`/runs/${encodeURIComponent(this.id)}/events`, {
      after: this.model.lastSeq || undefined,
      onEvents: (events) => {
        this.#waiting.push(...events);
        this.#plan();
      },
      onState: (state) => {
        this.stream = state;
        if (state.kind === 'done') this.#plan();
      },
      onCaughtUp: (count) => (this.caughtUp = { count }),
    });
    return () => this.close();
  }
  /** Follows again: an ended run that was restarted. */
  reopen(last: number) {
    this.close();
    this.open(last);
  }
  retry() {
    this.#following?.retry();
  }
  close() {
    this.#following?.close();
    this.#following = undefined;
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    // A hidden page draws nothing, and still has to keep up.
    if (document.visibilityState === 'hidden') setTimeout(() => this.#flush(), 250);
    else requestAnimationFrame(() => this.#flush());
  }
  #flush() {
    this.#planned = false;
    const batch = this.#waiting;
    this.#waiting = [];
    this.model.apply(batch);
    if (this.model.lastSeq >= this.#upTo || this.stream.kind === 'done') this.loaded = true;
    this.version += 1;
  }

  // Read by components: copies of the lists, so that a change is seen as one. 100,000 pointers take a tenth of a millisecond.
  get steps(): Step[] {
    void this.version;
    return this.model.steps.slice();
  }
  get lines(): Line[] {
    void this.version;
    return this.model.lines.slice();
  }
  /** The model, for whoever reads single fields of it. */
  get now(): RunModel {
    void this.version;
    return this.model;
  }
  /** A step as it is now. */
  see(step: Step): Step {
    void this.version;
    return { ...step };
  }
  seeUndo(entry: UndoEntry): UndoEntry {
    void this.version;
    return { ...entry };
  }
}
