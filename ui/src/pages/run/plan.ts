// A rehearsal's steps laid beside those of a run.
import type { Step } from './model';
import { comparePaths } from './paths';

export interface PlannedStep {
  path: string;
  op: string;
  args: string;
  note: string | null;
  sign: string;
  undo: boolean;
}
export interface Beside {
  path: string;
  planned?: PlannedStep;
  real?: Step;
  /** Another function, one that wasn't planned, or one that failed. */
  differs: boolean;
}

/** By path. Steps that only read aren't in a plan, so that those of the run that only read are left out. */
export function beside(plan: readonly PlannedStep[], steps: readonly Step[]): Beside[] {
  const rows = new Map<string, Beside>();
  for (const planned of plan) if (!planned.undo) rows.set(planned.path, { path: planned.path, planned, differs: false });
  for (const real of steps) {
    const row = rows.get(real.path);
    if (row) {
      row.real = real;
      row.differs = row.planned!.op !== real.op || real.state === 'failed' || real.state === 'in_doubt';
    } else if (real.class !== undefined && !['read', 'scope'].includes(real.class)) {
      rows.set(real.path, { path: real.path, real, differs: true });
    }
  }
  return [...rows.values()].sort((a, b) => comparePaths(a.path, b.path));
}
