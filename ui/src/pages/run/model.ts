// What a run's events say, put together: steps with their attempts, lines of the log, the undo list, what it waits for. Events
// come in order and each once; what they change is told by `version`, so that a page draws once for many of them.
import type { RunEvent, RunState } from '$lib/api';
import { comparePaths, laneOf } from './paths';

export type StepState = 'started' | 'retrying' | 'waiting' | 'succeeded' | 'failed' | 'in_doubt' | 'cut_off' | 'forgotten';
export interface Site {
  file: string;
  line: number;
  column?: number;
}
export interface Fault {
  code: string;
  message: string;
  help?: string | null;
  step?: string | null;
  site?: unknown;
  data?: unknown;
}
export interface Attempt {
  from: number;
  to?: number;
  fault?: Fault;
}
export interface Step {
  path: string;
  op: string;
  state: StepState;
  class?: string;
  site?: Site;
  args?: unknown;
  result?: unknown;
  fault?: Fault;
  wait?: Record<string, unknown>;
  from: number;
  to?: number;
  attempts: Attempt[];
  /** Number of the event with which it began. */
  seq: number;
  /** The run that it launched or waits for. */
  child?: string;
  /** Index of the first line that was logged after it began; the log's length if there is none yet. */
  line: number;
}
export interface Line {
  /** From 1; never changes. */
  number: number;
  seq: number;
  at: number;
  level: string;
  text: string;
  lane: string;
  /** The last step of its branch before it. */
  step?: string;
  fields?: Record<string, unknown>;
  site?: Site;
}
export interface UndoEntry {
  seq: number;
  path: string;
  label: string;
  state: 'started' | 'done' | 'failed' | 'skipped';
  from: number;
  to?: number;
  fault?: Fault;
}
export interface Note {
  seq: number;
  at: number;
  text: string;
  kind: RunEvent['kind'];
}

const runStateOf: Partial<Record<RunEvent['kind'], RunState>> = {
  'run.launched': 'queued',
  'run.started': 'running',
  'run.waiting': 'waiting',
  'run.succeeded': 'succeeded',
  'run.cancelling': 'cancelling',
  'run.rolling_back': 'rolling_back',
  'run.rolled_back': 'rolled_back',
  'run.cancelled': 'cancelled',
  'run.rollback_stuck': 'rollback_stuck',
  'run.restarted': 'queued',
  'run.parked': 'waiting',
};
const ended: readonly string[] = ['succeeded', 'failed', 'rolled_back', 'cancelled'];
const isRunId = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-z]{26}$/.test(value);

/** A place in a script: `{file, line, column}`, or `area/name:3:5`. */
export function siteOf(value: unknown): Site | undefined {
  if (typeof value === 'string') {
    const found = /^(.*?)(?:\.rhai)?:(\d+)(?::(\d+))?$/.exec(value);
    return found ? { file: found[1]!, line: Number(found[2]), column: Number(found[3]) || undefined } : undefined;
  }
  if (!value || typeof value !== 'object' || !('line' in value)) return undefined;
  const site = value as Site;
  return { file: String(site.file).replace(/\.rhai$/, ''), line: site.line, column: site.column };
}
const decided = (decision: Record<string, unknown> | undefined, path: string) =>
  `${String(decision?.by ?? 'Somebody')} ${decision?.approved ? 'approved' : 'denied'} step ${path}${decision?.comment ? `: ${String(decision.comment)}` : ''}`;
/** Arguments come as JSON, or as text of it. */
export function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Phases that are kept: a script may say its progress for each of a million things. */
const PHASES = 200;

export class RunModel {
  state: RunState = 'queued';
  waitingOn: string[] = [];
  launchedAt = 0;
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** When the failure's undo began. */
  undoingAt: number | undefined;
  /** Why the undo is stuck. */
  stuckBy: Fault | undefined;
  due: number | undefined;
  fault: Fault | undefined;
  output: unknown;
  progress: { percent?: number | null; message?: string | null } | undefined;
  /** Everything that was said of the progress, in order: the last ones of very many. */
  phases: { at: number; percent: number | null; message: string }[] = [];
  /** Parked, because its worker was lost so many times. */
  parked: number | undefined;
  /** The run that goes on where this one ended. */
  continuedAs: string | undefined;
  annotations = new Map<string, unknown>();
  lines: Line[] = [];
  undo: UndoEntry[] = [];
  notes: Note[] = [];
  /** Times from which and to which workers had it; without an end: now. */
  worked: { from: number; to?: number; state: RunState }[] = [];
  lastSeq = 0;
  last: number = 0;
  #steps = new Map<string, Step>();
  #order: Step[] = [];
  #undoBySeq = new Map<number, UndoEntry>();
  #sorted = true;
  #latest = new Map<string, string>();
  restarts = 0;

  /** Steps in the order of the run, branches under the call that they belong to. */
  get steps(): Step[] {
    if (!this.#sorted) {
      this.#order.sort((a, b) => comparePaths(a.path, b.path));
      this.#sorted = true;
    }
    return this.#order;
  }
  step(path: string): Step | undefined {
    return this.#steps.get(path);
  }

  apply(events: readonly RunEvent[]) {
    for (const event of events) {
      // One that came twice would count twice.
      if (event.seq <= this.lastSeq) continue;
      this.lastSeq = event.seq;
      this.last = event.at_ms;
      this.#one(event);
    }
  }

  #one(event: RunEvent) {
    const data = event.data as Record<string, unknown>;
    const path = event.path ?? '';
    if (event.kind === 'output.log') return this.#log(event, data, path);
    if (event.kind.startsWith('step.')) return this.#step(event, data, path);
    if (event.kind.startsWith('undo.')) return this.#undo(event, data, path);
    if (event.kind.startsWith('run.')) return this.#run(event, data);
    if (event.kind === 'output.progress') {
      this.progress = data;
      const phase = { at: event.at_ms, percent: typeof data.percent === 'number' ? data.percent : null, message: typeof data.message === 'string' ? data.message : '' };
      if (this.phases.at(-1)?.message === phase.message) this.phases[this.phases.length - 1] = { ...this.phases.at(-1)!, percent: phase.percent };
      else this.phases.push(phase);
      if (this.phases.length > PHASES) this.phases.shift();
    }
    else if (event.kind === 'output.annotation') this.annotations.set(String(data.key), data.value);
    else if (event.kind === 'approval.decided') {
      this.notes.push({ seq: event.seq, at: event.at_ms, kind: event.kind, text: decided(data.decision as Record<string, unknown>, path) });
    } else if (event.kind === 'signal.received') {
      this.notes.push({ seq: event.seq, at: event.at_ms, kind: event.kind, text: `Signal ${String(data.name ?? '')} came${data.by ? ` from ${String(data.by)}` : ''}` });
    }
  }

  #log(event: RunEvent, data: Record<string, unknown>, path: string) {
    const lane = laneOf(path);
    const fields = data.fields as Record<string, unknown> | undefined;
    this.lines.push({
      number: this.lines.length + 1,
      seq: event.seq,
      at: event.at_ms,
      level: String(data.level ?? 'info'),
      text: typeof data.message === 'string' ? data.message : JSON.stringify(data.message),
      lane,
      step: this.#latest.get(lane),
      fields: fields && Object.keys(fields).length ? fields : undefined,
      site: siteOf(data.site),
    });
  }

  #begin(event: RunEvent, data: Record<string, unknown>, path: string): Step {
    const known = this.#steps.get(path);
    if (known && known.state !== 'forgotten') return known;
    // What took no time is told with its end only.
    const from = event.at_ms - (typeof data.elapsed_ms === 'number' ? data.elapsed_ms : 0);
    const step: Step = known ?? { path, op: '', state: 'started', from, attempts: [], seq: event.seq, line: this.lines.length };
    Object.assign(step, { op: String(data.op ?? step.op), state: 'started', from, to: undefined, seq: event.seq, line: this.lines.length, fault: undefined, result: undefined });
    if (!known) {
      const last = this.#order.at(-1);
      if (this.#sorted && last && comparePaths(last.path, path) > 0) this.#sorted = false;
      this.#order.push(step);
      this.#steps.set(path, step);
    }
    step.attempts.push({ from });
    this.#latest.set(laneOf(path), path);
    return step;
  }

  #step(event: RunEvent, data: Record<string, unknown>, path: string) {
    const step = this.#begin(event, data, path);
    if (data.op) step.op = String(data.op);
    if (data.class) step.class = String(data.class);
    if (data.site) step.site = siteOf(data.site);
    if ('args' in data) step.args = parsed(data.args);
    const attempt = step.attempts.at(-1)!;
    const end = (state: StepState) => {
      step.state = state;
      step.to = attempt.to = event.at_ms;
      step.wait = undefined;
    };
    switch (event.kind) {
      case 'step.started':
        // Begun again: after a crash, or after somebody said that it didn't happen.
        if (step.seq !== event.seq) {
          attempt.to ??= event.at_ms;
          step.attempts.push({ from: event.at_ms });
          step.to = undefined;
        }
        step.state = 'started';
        break;
      case 'step.retrying':
        step.state = 'retrying';
        attempt.to = event.at_ms;
        attempt.fault = data.error as Fault;
        step.attempts.push({ from: event.at_ms + Number(data.delay_ms ?? 0) });
        break;
      case 'step.waiting': {
        step.state = 'waiting';
        step.wait = data.wait as Record<string, unknown>;
        if (isRunId(step.wait?.run)) step.child = step.wait.run as string;
        break;
      }
      case 'step.succeeded':
        end('succeeded');
        step.fault = undefined;
        step.result = data.result;
        // What waits for a child comes right after `child`, and shows it.
        if (step.op === 'launch' && isRunId(data.result)) step.child = data.result;
        break;
      case 'step.failed':
        end('failed');
        step.fault = attempt.fault = data.error as Fault;
        break;
      case 'step.in_doubt':
        step.state = 'in_doubt';
        step.fault = data.error as Fault | undefined;
        break;
      case 'step.resolved':
        this.#resolved(step, data, event.at_ms, end);
        break;
    }
  }

  /** Somebody has said what became of a step in doubt: `"perform"`, `"fail"` or `{happened: …}`, in whichever form. */
  #resolved(step: Step, data: Record<string, unknown>, at: number, end: (state: StepState) => void) {
    const said = data.resolution as string | Record<string, unknown> | undefined;
    const word = typeof said === 'string' ? said : String(said?.resolution ?? Object.keys(said ?? {})[0] ?? '');
    const by = String(data.by ?? 'Somebody');
    if (word === 'happened') {
      end('succeeded');
      const inner = typeof said === 'object' ? (said.result ?? (said.happened as Record<string, unknown> | undefined)?.result) : undefined;
      step.result = data.result ?? inner;
      step.fault = undefined;
    } else if (word === 'fail') {
      end('failed');
      step.fault = step.attempts.at(-1)!.fault = (data.error as Fault | undefined) ?? { code: 'failed_by_operator', message: `${by} failed the step, about which there was doubt` };
    } else if (step.state === 'in_doubt') {
      // It is performed: its next start follows.
      step.state = 'started';
    }
    const words: Record<string, string> = { happened: 'it happened', fail: 'it failed', perform: 'it has to be performed' };
    this.notes.push({ seq: this.lastSeq, at, kind: 'step.resolved', text: `${by} said of step ${step.path}: ${words[word] ?? word}` });
  }

  #undo(event: RunEvent, data: Record<string, unknown>, path: string) {
    const seq = Number(data.seq);
    let entry = this.#undoBySeq.get(seq);
    if (!entry) {
      entry = { seq, path, label: String(data.label ?? data.op ?? ''), state: 'started', from: event.at_ms };
      this.undo.push(entry);
      this.#undoBySeq.set(seq, entry);
    }
    if (event.kind === 'undo.started') {
      entry.state = 'started';
      entry.from = event.at_ms;
      entry.to = undefined;
      return;
    }
    entry.state = event.kind === 'undo.done' ? 'done' : event.kind === 'undo.skipped' ? 'skipped' : 'failed';
    entry.to = event.at_ms;
    entry.fault = event.kind === 'undo.failed' ? (data.error as Fault) : undefined;
  }

  /** What was undone just then has failed, too, if an operator stopped it or its time was up: no event of its own says so. Nor of what
   * it had under way, of which nobody knows more. */
  #stuck(at: number, seq: number, fault: Fault | undefined) {
    this.stuckBy = fault;
    const entry = this.#undoBySeq.get(seq);
    if (entry?.state !== 'started') return;
    entry.state = 'failed';
    entry.to = at;
    entry.fault = fault;
    for (const step of this.#order) {
      if (!step.path.startsWith(`${entry.path}/u${seq}/`) || (step.state !== 'started' && step.state !== 'retrying')) continue;
      step.state = 'cut_off';
      step.to = at;
      step.attempts.at(-1)!.to = at;
    }
  }

  #run(event: RunEvent, data: Record<string, unknown>) {
    const next = event.kind === 'run.failed' ? (data.undo ? 'rolling_back' : 'failed') : event.kind === 'run.parked' && data.state === 'rollback_stuck' ? 'rollback_stuck' : runStateOf[event.kind];
    if (!next) return;
    const current = this.worked.at(-1);
    if (current && current.to === undefined) current.to = event.at_ms;
    if (!ended.includes(next)) this.worked.push({ from: event.at_ms, state: next });
    this.state = next;
    this.waitingOn = event.kind === 'run.waiting' ? ((data.waiting_on as string[]) ?? []) : event.kind === 'run.parked' && next === 'waiting' ? ['parked'] : [];
    this.due = event.kind === 'run.waiting' && typeof data.due_at_ms === 'number' ? data.due_at_ms : undefined;
    this.endedAt = ended.includes(next) ? event.at_ms : undefined;
    this.parked = event.kind === 'run.parked' && next === 'waiting' ? Number(data.recoveries) : undefined;
    switch (event.kind) {
      case 'run.launched':
        this.launchedAt = event.at_ms;
        break;
      case 'run.started':
        this.startedAt ??= event.at_ms;
        if (data.recovery) this.notes.push({ seq: event.seq, at: event.at_ms, kind: event.kind, text: 'Went on after its worker was lost' });
        break;
      case 'run.failed':
        this.fault = data.error as Fault;
        break;
      case 'run.cancelling':
        this.notes.push({ seq: event.seq, at: event.at_ms, kind: event.kind, text: `Cancelled${data.by ? ` by ${String(data.by)}` : ''}${data.reason ? `: ${String(data.reason)}` : ''}` });
        break;
      case 'run.rolling_back':
        this.undoingAt ??= event.at_ms;
        break;
      case 'run.rollback_stuck':
        this.#stuck(event.at_ms, Number(data.entry), data.error as Fault | undefined);
        break;
      case 'run.succeeded':
        this.output = data.output;
        if (isRunId(data.continued_as)) this.continuedAs = data.continued_as;
        break;
      case 'run.restarted':
        this.restarts += 1;
        this.fault = undefined;
        this.#forget(new Set((data.dropped as string[]) ?? []));
        this.notes.push({ seq: event.seq, at: event.at_ms, kind: event.kind, text: `Restarted${data.by ? ` by ${String(data.by)}` : ''}` });
        break;
    }
  }

  /** Steps that are performed again, with what is below them: their earlier attempts stay in sight. */
  #forget(dropped: ReadonlySet<string>) {
    for (const step of this.#order) {
      const { path } = step;
      for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
        if (!dropped.has(path.slice(0, end))) continue;
        step.state = 'forgotten';
        break;
      }
    }
  }

  /** The step that the run failed at, or else the first that failed. */
  firstFailure(): Step | undefined {
    const named = this.fault?.step ? this.#steps.get(this.fault.step) : undefined;
    return named ?? this.steps.find((step) => step.state === 'failed' || step.state === 'in_doubt');
  }
  /** What is being done now, the deepest of it. */
  current(): Step[] {
    return this.steps.filter((step) => step.state === 'started' || step.state === 'waiting' || step.state === 'retrying' || step.state === 'in_doubt');
  }
}
