// The model of a run, fed with events that a real server gave.
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '$lib/api';
import asked from './recorded/asked.json';
import doubt from './recorded/doubt.json';
import parent from './recorded/parent.json';
import restarted from './recorded/restarted.json';
import stuck from './recorded/stuck.json';
import undone from './recorded/undone.json';
import { RunModel, siteOf } from './model';

const events = (recorded: unknown) => recorded as RunEvent[];
function modelOf(recorded: unknown, upTo = Infinity): RunModel {
  const model = new RunModel();
  model.apply(events(recorded).filter((event) => event.seq <= upTo));
  return model;
}

describe('a run that failed and was undone', () => {
  const model = modelOf(undone);
  it('has its steps in the order of the script, branches under their call', () => {
    expect(model.steps.map((step) => step.path)).toEqual(['0', '1', '2', '3', '3/b0/0', '3/b0/1', '3/b1/0', '3/b1/1', '3/b2/0', '3/b2/1', '4']);
  });
  it('knows why and where it failed', () => {
    expect(model.state).toBe('rolled_back');
    expect(model.firstFailure()?.path).toBe('4');
    expect(model.fault?.code).toBe('invalid_argument');
    expect(model.step('4')).toMatchObject({ state: 'failed', op: 'exec::run', site: { file: 't/fails', line: 9, column: 11 } });
  });
  it('numbers lines as the server does, and says after which step each came', () => {
    expect(model.lines.map((line) => [line.number, line.seq, line.lane, line.step])).toEqual([
      [1, 5, '', '0'], [2, 12, '3/b0/', undefined], [3, 14, '3/b1/', undefined], [4, 16, '3/b2/', undefined], [5, 27, '', '3'], [6, 33, '0/u1/', undefined],
    ]);
    expect(model.lines[4]!.level).toBe('warn');
  });
  it('keeps the undo apart', () => {
    expect(model.undo).toMatchObject([{ seq: 1, path: '0', label: 'tell', state: 'done' }]);
    expect(model.undo[0]!.to! - model.undo[0]!.from).toBeGreaterThan(0);
  });
  it('begins what is told with its end only when it began', () => {
    const sleep = model.step('2')!;
    expect(sleep.to! - sleep.from).toBeGreaterThan(300);
    expect(model.endedAt).toBe(events(undone).at(-1)!.at_ms);
  });
});

it('comes to the same whatever the batches are', () => {
  const whole = modelOf(undone);
  const single = new RunModel();
  for (const event of events(undone)) {
    single.apply([event]);
    void single.steps;
  }
  expect(single.steps).toEqual(whole.steps);
  expect(single.lines).toEqual(whole.lines);
});
it('takes a very large run’s undo and restart in one go', () => {
  const many = 30_000;
  const model = new RunModel();
  let seq = 0;
  const event = (kind: string, path: string | null, data: Record<string, unknown>) => ({ run: 'r', seq: (seq += 1), at_ms: seq, kind, path, data }) as RunEvent;
  const paths = Array.from({ length: many }, (_, at) => `7/b${at}/0`);
  const began = performance.now();
  model.apply(paths.map((path) => event('step.succeeded', path, { op: 'x' })));
  model.apply(paths.flatMap((path, at) => [event('undo.started', path, { seq: at + 1, label: 'x' }), event('undo.done', path, { seq: at + 1 })]));
  model.apply([event('step.succeeded', '70', { op: 'x' }), event('run.restarted', null, { dropped: [...paths.map((path) => path.slice(0, -2)), '8'] })]);
  expect(performance.now() - began).toBeLessThan(20_000);
  expect([model.undo.length, model.undo.filter((one) => one.state === 'done').length]).toEqual([many, many]);
  // What is below a dropped call is dropped with it; a path that only begins alike isn't.
  expect([model.steps.filter((step) => step.state === 'forgotten').length, model.step('70')!.state]).toEqual([many, 'succeeded']);
});
it('takes no event twice', () => {
  const model = modelOf(undone);
  model.apply(events(undone));
  expect(model.lines).toHaveLength(6);
  expect(model.step('4')!.attempts).toHaveLength(1);
});

describe('a run that was restarted', () => {
  it('shows the failure until then', () => {
    expect(modelOf(restarted, 11).firstFailure()?.path).toBe('2');
    expect(modelOf(restarted, 11).state).toBe('failed');
  });
  it('forgets the step that is performed again, and no other', () => {
    const model = modelOf(restarted, 12);
    expect(model.steps.map((step) => step.state)).toEqual(['succeeded', 'succeeded', 'forgotten']);
    expect(model.endedAt).toBeUndefined();
    expect(model.fault).toBeUndefined();
  });
  it('has both attempts in the end', () => {
    const model = modelOf(restarted);
    expect(model.state).toBe('succeeded');
    expect(model.output).toBe('done');
    expect(model.restarts).toBe(1);
    expect(model.step('2')!.attempts.map((attempt) => attempt.fault?.code)).toEqual(['command_failed', undefined]);
    expect(model.step('2')!.state).toBe('succeeded');
  });
});

it('tells a step in doubt', () => {
  const model = modelOf(doubt, 7);
  expect(model.state).toBe('waiting');
  expect(model.waitingOn).toEqual(['in_doubt']);
  expect(model.firstFailure()).toMatchObject({ path: '0', state: 'in_doubt' });
  expect(model.notes.map((note) => note.text)).toEqual(['Went on after its worker was lost']);
});
it('takes the word of whoever settles a doubt', () => {
  const model = modelOf(doubt);
  expect(model.step('0')).toMatchObject({ state: 'succeeded', result: { code: 0 } });
  expect(model.state).toBe('succeeded');
  expect(model.notes.at(-1)!.text).toBe('admin said of step 0: it happened');
});
it('says who decided', () => {
  expect(modelOf(asked).notes.map((note) => note.text)).toEqual(['admin approved step 0: fine']);
});
it('tells a stuck undo', () => {
  const model = modelOf(stuck, 10);
  expect(model.state).toBe('rollback_stuck');
  expect(model.undo).toMatchObject([{ state: 'failed', label: 'never works', fault: { code: 'script_error' } }]);
});
it('tells an undo that was stopped: its entry has failed, and what it had under way is cut off', () => {
  let seq = 0;
  const event = (kind: string, path: string | null, data: Record<string, unknown>) => ({ run: 'r', seq: (seq += 1), at_ms: seq, kind, path, data }) as RunEvent;
  const error = { code: 'failed_by_operator', message: 'ann stopped the undo' };
  const model = new RunModel();
  model.apply([
    event('step.started', '0', { op: 'x' }),
    event('undo.started', '3', { seq: 12, label: 'first' }), event('undo.done', '3', { seq: 12 }),
    event('undo.started', '0', { seq: 1, label: 'goes round' }),
    event('step.succeeded', '0/u1/0', { op: 'x' }), event('step.started', '0/u1/1', { op: 'x' }),
    event('run.rollback_stuck', null, { entry: 1, error }),
  ]);
  expect(model.state).toBe('rollback_stuck');
  expect(model.undo).toMatchObject([{ seq: 12, state: 'done' }, { seq: 1, state: 'failed', to: 7, fault: error }]);
  expect(['0', '0/u1/0', '0/u1/1'].map((path) => model.step(path)!.state)).toEqual(['started', 'succeeded', 'cut_off']);
  // Tried again, it goes on where it was.
  model.apply([event('undo.started', '0', { seq: 1 }), event('step.started', '0/u1/1', { op: 'x' })]);
  expect([model.undo[1]!.state, model.step('0/u1/1')!.state, model.step('0/u1/1')!.attempts.length]).toEqual(['started', 'started', 2]);
  // Between two entries nothing was begun: why, it is told all the same.
  model.apply([event('undo.done', '0', { seq: 1 }), event('run.rollback_stuck', null, { entry: 5, error })]);
  expect([model.undo.map((one) => one.state), model.stuckBy]).toEqual([['done', 'done'], error]);
});
it('links a child run once, and hears of progress', () => {
  const model = modelOf(parent);
  expect(model.steps.filter((step) => step.child).map((step) => step.op)).toEqual(['wait_child']);
  expect(model.progress).toEqual({ message: 'halfway', percent: 50 });
});

it('reads places of both forms', () => {
  expect(siteOf('t/fails.rhai:7:15')).toEqual({ file: 't/fails', line: 7, column: 15 });
  expect(siteOf({ file: 't/fails', line: 7, column: 15 })).toEqual({ file: 't/fails', line: 7, column: 15 });
  expect(siteOf(null)).toBeUndefined();
});

it('takes 100,000 lines and 5,000 steps without growing slow', () => {
  const many: RunEvent[] = [];
  const at = (kind: RunEvent['kind'], path: string, data: object) => many.push({ run: 'r', seq: many.length + 1, at_ms: many.length, kind, path, data } as unknown as RunEvent);
  // The worst order: branches that take turns.
  for (let n = 0; n < 2_500; n += 1) for (const branch of ['b0', 'b1']) at('step.succeeded', `0/${branch}/${n}`, { op: 'random', elapsed_ms: 0 });
  for (let n = 0; n < 100_000; n += 1) at('output.log', `#${n}`, { level: 'info', message: `line ${n}` });
  const model = new RunModel();
  for (let from = 0; from < many.length; from += 500) model.apply(many.slice(from, from + 500));
  expect(model.lines).toHaveLength(100_000);
  expect(model.steps).toHaveLength(5_000);
  expect(model.steps[2_500]!.path).toBe('0/b1/0');
});
