// The list of steps as it is drawn; paths; plans.
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '$lib/api';
import undone from './recorded/undone.json';
import parent from './recorded/parent.json';
import { RunModel, type Step } from './model';
import { beside, departure, ownSteps, type PlannedStep } from './plan';
import { branchName, comparePaths, depthOf, laneOf } from './paths';
import { rowsOf, type Row } from './rows';
import { median } from './statistics';

const step = (path: string, op: string) => ({ path, op, state: 'succeeded', from: 0, attempts: [], seq: 0, line: 0 }) as Step;
const steps = (recorded: unknown): Step[] => {
  const model = new RunModel();
  model.apply(recorded as RunEvent[]);
  return model.steps;
};
const none = { closed: new Set<string>(), children: new Map(), text: '' };
const shown = (rows: Row[]) => rows.map((row) => (row.kind === 'step' ? row.path : row.kind === 'branch' ? row.name : row.kind === 'undo' ? 'undo' : `child ${row.step?.path ?? row.state}`));

describe('rows', () => {
  it('names branches and folds them', () => {
    expect(shown(rowsOf(steps(undone), none))).toEqual(['0', '1', '2', '3', 'branch 1', '3/b0/0', '3/b0/1', 'branch 2', '3/b1/0', '3/b1/1', 'branch 3', '3/b2/0', '3/b2/1', '4']);
    expect(shown(rowsOf(steps(undone), { ...none, closed: new Set(['3']) }))).toEqual(['0', '1', '2', '3', '4']);
  });
  it('finds steps by their function', () => {
    expect(shown(rowsOf(steps(undone), { ...none, text: 'EXEC' }))).toEqual(['4']);
  });
  it('has a child run’s steps under the step that waits for it', () => {
    const all = steps(parent);
    const child = all.find((step) => step.child)!.child!;
    const inside = { path: '0', op: 'sleep', state: 'succeeded' } as never;
    expect(shown(rowsOf(all, { ...none, children: new Map([[child, { state: 'succeeded', steps: [inside] }]]) }))).toEqual(['0', '1', 'child succeeded', 'child 0', '2']);
  });
  it('has the undo as a part of its own', () => {
    const model = new RunModel();
    model.apply(undone as unknown as RunEvent[]);
    expect(rowsOf(model.steps, { ...none, undo: model.undo }).slice(-2)).toMatchObject([{ kind: 'branch', id: 'undo' }, { kind: 'undo', entry: { path: '0' } }]);
  });
  it('has the steps of an undo at their entry, not at what they take back', () => {
    const entry = (seq: number, path: string) => ({ seq, path, label: `back ${seq}`, state: 'done' as const, from: 0 });
    const all = [step('0', 'write'), step('0/u1/0', 'restore'), step('1', 'parallel'), step('1/b0/0', 'make'), step('1/b0/0/u2/0', 'unmake'), step('2', 'exec')];
    const rows = rowsOf(all, { ...none, undo: [entry(2, '1/b0/0'), entry(1, '0')] });
    expect(shown(rows)).toEqual(['0', '1', 'branch 1', '1/b0/0', '2', 'Undo, from the last to the first', 'undo', '1/b0/0/u2/0', 'undo', '0/u1/0']);
    expect(rows.find((row) => row.kind === 'step' && row.path === '0')).toMatchObject({ folds: false });
    expect(shown(rowsOf(all, { ...none, text: 'restore', undo: [entry(1, '0')] }))).toEqual(['0/u1/0']);
  });
  it('says that a child run has more steps than are shown', () => {
    const waits = { ...step('4', 'wait_child'), child: 'c1' };
    const one = { path: '0', op: 'now' } as never;
    const row = (more: boolean) => rowsOf([waits], { ...none, children: new Map([['c1', { state: 'running', steps: [one], more }]]) }).filter((row) => row.kind === 'child').map((row) => row.more);
    expect([row(false), row(true)]).toEqual([[undefined, undefined], [undefined, undefined, 1]]);
  });
  it('has one id each', () => {
    const ids = rowsOf(steps(undone), none).map((row) => row.id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

it('orders paths by their numbers', () => {
  expect(['10', '9', '3/b10/0', '3/b2/1', '3', '3/b2/0/b1/4', '3/b2/0'].sort(comparePaths)).toEqual(['3', '3/b2/0', '3/b2/0/b1/4', '3/b2/1', '3/b10/0', '9', '10']);
  expect([laneOf('3/b2/0'), laneOf('4'), depthOf('3/b2/0'), depthOf('4'), branchName('3/b2/0'), branchName('4')]).toEqual(['3/b2/', '', 1, 0, 'branch 3', undefined]);
});

describe('a plan beside what happened', () => {
  const planned = (path: string, op: string, args = '[]', run = 'main'): PlannedStep => ({ run, path, op, args, note: null, sign: 'change', undo: false });
  const done = (path: string, op: string, args: unknown = []) => ({ path, op, args, class: 'idempotent', state: 'succeeded', from: 0, attempts: [], seq: 0, line: 0 }) as unknown as Step;

  it('goes by paths, and says how a step isn’t as planned', () => {
    const real = steps(undone);
    const plan = real.filter((step) => ['0', '4'].includes(step.path)).map((step) => planned(step.path, step.op, JSON.stringify(step.args)));
    const rows = beside([...plan, planned('5', 'file::write')], real, true);
    expect(rows.map((row) => [row.path, Boolean(row.planned), row.real?.state, row.differs])).toEqual([
      ['0', true, 'succeeded', undefined], ['4', true, 'failed', 'failed'], ['5', true, undefined, 'missing'],
    ]);
    expect(departure(rows)?.path).toBe('4');
  });
  it('left the plan with another function, with other arguments, or with a step too many', () => {
    const plan = [planned('0', 'a::x', '[{"b":1,"a":[2]}]'), planned('1', 'a::x', '["one"]'), planned('2', 'a::x')];
    const rows = beside(plan, [done('0', 'a::x', [{ a: [2], b: 1 }]), done('1', 'a::x', ['two']), done('2', 'a::y'), done('3', 'a::x'), { ...done('4', 'now'), class: 'read' }], true);
    expect(rows.map((row) => row.differs)).toEqual([undefined, 'arguments', 'function', 'unplanned']);
  });
  it('has not left the plan with what isn’t done yet, or with what can’t be compared', () => {
    const rows = beside([planned('0', 'a::x', '["•••"]'), planned('1', 'a::x')], [done('0', 'a::x', ['a secret'])], false);
    expect([departure(rows), rows.map((row) => Boolean(row.real))]).toEqual([undefined, [true, false]]);
  });
  it('is of the run’s own steps, not of its children’s, and not of the undo', () => {
    const plan = [planned('0', 'child'), planned('0', 'kv_set', '[]', 'other'), { ...planned('1', 'a::x'), undo: true }];
    expect(ownSteps(plan, 'main').map((step) => step.op)).toEqual(['child']);
    expect(ownSteps(plan).map((step) => step.op)).toEqual(['child']);
    expect(ownSteps([{ ...plan[0]!, run: undefined }], 'main')).toHaveLength(1);
    expect(beside([], [done('3/u1/0', 'a::x')], true)).toEqual([]);
  });
});

it('knows the middle', () => {
  expect([median([]), median([3]), median([9, 1, 2]), median([1, 2, 3, 10])]).toEqual([null, 3, 2, 2.5]);
});
