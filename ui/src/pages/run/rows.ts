// The list of steps as it is drawn: steps, a line where a branch begins, and what child runs did.
import type { Schema } from '$lib/api';
import type { Step, UndoEntry } from './model';
import { branchName, depthOf, laneOf } from './paths';

export type ChildStep = Schema<'StepView'>;
/** What is shown of a child run. */
export interface ShownChild {
  state: string;
  steps: ChildStep[];
  /** It has more steps than these. */
  more?: boolean;
}
export type Row =
  | { kind: 'step'; id: string; path: string; step: Step; depth: number; folds: boolean }
  | { kind: 'branch'; id: string; name: string; depth: number }
  | { kind: 'undo'; id: string; entry: UndoEntry }
  | { kind: 'child'; id: string; run: string; state?: string; step?: ChildStep; /** Steps that are shown, where there are more. */ more?: number; depth: number };

interface Shown {
  /** Steps whose branches aren't shown. */
  closed: ReadonlySet<string>;
  /** Child runs that are shown; null while they are fetched. */
  children: ReadonlyMap<string, ShownChild | null>;
  /** Only steps with this text in their function, place or arguments. */
  text: string;
  /** What was taken back, as a part of its own below the steps. */
  undo?: readonly UndoEntry[];
}

/** Of a step that takes another one back (`5/u1/0`): the number of the entry that it belongs to. */
const entryOf = (path: string) => (path.includes('/u') ? Number(/\/u(\d+)\//.exec(path)?.[1]) || 0 : 0);

export function rowsOf(all: readonly Step[], { closed, children, text, undo = [] }: Shown): Row[] {
  const rows: Row[] = [];
  // What takes steps back stands below, at its entry.
  // Steps of the undo, by the entry that they undo.
  const back = new Map<number, Step[]>();
  const steps = all.filter((step) => {
    const entry = entryOf(step.path);
    if (entry) {
      const some = back.get(entry);
      if (some) some.push(step);
      else back.set(entry, [step]);
    }
    return !entry;
  });
  const wanted = text.trim().toLowerCase();
  let lane = '';
  let hiddenBelow: string | undefined;
  steps.forEach((step, index) => {
    if (hiddenBelow !== undefined) {
      if (step.path.startsWith(hiddenBelow)) return;
      hiddenBelow = undefined;
    }
    if (wanted && !`${step.op} ${step.path}`.toLowerCase().includes(wanted)) return;
    const depth = depthOf(step.path);
    const here = laneOf(step.path);
    if (here !== lane) {
      lane = here;
      const name = branchName(step.path);
      if (name && !wanted) rows.push({ kind: 'branch', id: `${here}@${step.path}`, name, depth });
    }
    const folds = steps[index + 1]?.path.startsWith(`${step.path}/`) ?? false;
    rows.push({ kind: 'step', id: step.path, path: step.path, step, depth, folds });
    if (folds && closed.has(step.path)) hiddenBelow = `${step.path}/`;
    const child = step.child ? children.get(step.child) : undefined;
    if (!step.child || child === undefined) return;
    rows.push({ kind: 'child', id: `${step.path}@${step.child}`, run: step.child, state: child?.state, depth: depth + 1 });
    for (const one of child?.steps ?? []) rows.push({ kind: 'child', id: `${step.path}@${step.child}/${one.path}`, run: step.child, step: one, depth: depth + 1 + depthOf(one.path) });
    if (child?.more) rows.push({ kind: 'child', id: `${step.path}@${step.child}…`, run: step.child, more: child.steps.length, depth: depth + 1 });
  });
  const stepBack = (step: Step, depth: number) => {
    if (!wanted || `${step.op} ${step.path}`.toLowerCase().includes(wanted)) rows.push({ kind: 'step', id: step.path, path: step.path, step, depth, folds: false });
  };
  if (undo.length && !wanted) rows.push({ kind: 'branch', id: 'undo', name: 'Undo, from the last to the first', depth: 0 });
  for (const entry of undo) {
    if (!wanted) rows.push({ kind: 'undo', id: `undo ${entry.seq}`, entry });
    for (const step of back.get(entry.seq) ?? []) stepBack(step, depthOf(step.path) - depthOf(entry.path));
    back.delete(entry.seq);
  }
  // Those whose entry was begun in a record that isn't there.
  for (const some of back.values()) for (const step of some) stepBack(step, 1);
  return rows;
}
