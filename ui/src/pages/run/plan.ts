// A plan laid beside what a run really did, and where it left the plan.
import type { Step } from './model';
import { comparePaths } from './paths';

export interface PlannedStep {
  /** The rehearsal's run: its own, or a child's. */
  run?: string;
  path: string;
  op: string;
  /** Canonical JSON. */
  args: string;
  note: string | null;
  sign: string;
  undo: boolean;
}
export type Difference = 'function' | 'arguments' | 'failed' | 'doubt' | 'unplanned' | 'missing';
export interface Beside {
  path: string;
  planned?: PlannedStep;
  real?: Step;
  /** How it isn't as it was planned. */
  differs?: Difference;
}

export const inWords: Record<Difference, string> = {
  function: 'another function', arguments: 'other arguments', failed: 'it failed', doubt: 'it is in doubt', unplanned: 'not planned', missing: 'it didn’t happen',
};

/** The run's own steps of a plan: its children's are theirs. `main` is missing in plans that were kept by an earlier version. */
export function ownSteps(steps: readonly PlannedStep[], main?: string): PlannedStep[] {
  const own = main ?? steps[0]?.run;
  return steps.filter((step) => !step.undo && (step.run === undefined || step.run === own));
}

/** What stands where a secret was: nobody can compare with that. */
const BLOT = '•••';
const canonical = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(canonical)
  : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, canonical(inner)]))
  : value;
function sameArguments(planned: string, real: unknown): boolean {
  if (real === undefined || planned.includes(BLOT)) return true;
  try {
    return JSON.stringify(canonical(JSON.parse(planned))) === JSON.stringify(canonical(real));
  } catch {
    return true;
  }
}

/** By path. Steps that only read aren't in a plan, so that those of the run that only read are left out. `over`: what hasn't happened won't. */
export function beside(plan: readonly PlannedStep[], steps: readonly Step[], over: boolean): Beside[] {
  const rows = new Map<string, Beside>();
  for (const planned of plan) rows.set(planned.path, { path: planned.path, planned });
  for (const real of steps) {
    if (real.state === 'forgotten' || /\/u\d/.test(real.path)) continue;
    const row = rows.get(real.path);
    if (row) {
      row.real = real;
      if (row.planned!.op !== real.op) row.differs = 'function';
      else if (real.state === 'failed') row.differs = 'failed';
      else if (real.state === 'in_doubt') row.differs = 'doubt';
      else if (!sameArguments(row.planned!.args, real.args)) row.differs = 'arguments';
    } else if (real.class !== undefined && !['read', 'scope'].includes(real.class)) {
      rows.set(real.path, { path: real.path, real, differs: 'unplanned' });
    }
  }
  if (over) for (const row of rows.values()) if (!row.real) row.differs = 'missing';
  return [...rows.values()].sort((a, b) => comparePaths(a.path, b.path));
}

/** Where it left the plan: the first step, in the order of the run, that wasn't as planned. */
export const departure = (rows: readonly Beside[]) => rows.find((row) => row.differs);
