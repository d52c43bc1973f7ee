// What scenarios can call: functions of their own, a plan's, and what a report tells. Scripts have none of these.
import { Definitions, nothing, type Definition, type Knowledge, type Param } from './definitions';

/** `answer(op, value, nth?)`: a definition from how it is called; `?` marks what may be left out, `at: duration` its kind. */
export function told(call: string, doc: string, example?: string): Definition {
  const open = call.indexOf('(');
  const name = open < 0 ? call : call.slice(0, open);
  const params: Param[] = open < 0 ? [] : call.slice(open + 1, -1).split(',').filter(Boolean).map((one) => {
    const [word, kind = '?'] = one.split(':').map((part) => part.trim());
    return { name: word!.replace('?', ''), kind, optional: word!.endsWith('?'), doc: '' };
  });
  return { name, full: name, signature: open < 0 ? name : `${name}(${params.map((one) => (one.optional ? `[${one.name}]` : one.name)).join(', ')})`, doc, params, ...(example ? { example } : {}) };
}

export const functions: readonly Definition[] = [
  told('scenario(workflow: string, input?: map)', 'A plan of what a run of this workflow meets. `run` runs it in virtual time; nothing outside is touched.', 'scenario("lab/hello", #{ lab: "hello" })'),
  told('assert(holds: bool, message?: string)', 'Fails unless it holds.'),
  told('assert_eq(left: any, right: any, message?: string)', 'Fails unless both are the same.', 'assert_eq(report.state, "succeeded")'),
  told('assert_contains(whole: any, part: any)', 'Fails unless the part is in it: an element of an array, a piece of a text, a key of a map.'),
];

/** What follows a dot: a plan's functions, and a report's properties. */
export const members: readonly Definition[] = [
  told('run()', 'Runs the plan to its end, or until the run waits for what the plan doesn’t bring; what came of it.'),
  told('answer(op: string, value: any, nth?: int)', 'What an op answers instead of being done; only its nth call, if that is given.', 'plan.answer("exec::run", #{ code: 0, stdout: "ok" })'),
  told('fail(op: string, reason: any)', 'An op fails: with a text, or with `code`, `message`, `help`, `data`, `retryable`, `no_effect`. With a number before the reason, only that call of it.', 'plan.fail("net::connect", "no cable today")'),
  told('signal(name: string, payload: any, options?: map)', 'A signal arrives; `at` says when, after the launch.', 'plan.signal("go", (), #{ at: "5m" })'),
  told('approve(matching?: string, options?: map)', 'Somebody approves what asks for it, or whose title has this in it. Options: `by`, `form`, `comment`, `at`.'),
  told('deny(matching?: string, options?: map)', 'Somebody denies it. Options: `by`, `form`, `comment`, `at`.'),
  told('secret(name: string, value: string)', 'A secret of this name is there.'),
  told('crash_at(nth: int)', 'The process dies right after so many entries of the journal, and comes back.'),
  told('state', 'The run’s state at the end: `succeeded`, `failed`, `rolled_back`, `waiting`, …'),
  told('waiting_on', 'What it waits for, if it does.'),
  told('output', 'What `run` returned.'),
  told('error', 'The error that it ended with: `code`, `message`, …'),
  told('steps', 'Every step in order: `path`, `op`, `args`, `state`, `result`.'),
  told('resources', 'What is left of what it made.'),
  told('undone', 'What was undone, in order.'),
  told('events', 'Events as they are streamed.'),
  told('logs', 'Lines that it logged.'),
  told('elapsed_ms', 'Virtual time from launch to end.'),
];

/** What is known while one edits scenarios. */
export const scenarioKnowledge: Knowledge = {
  ...nothing,
  definitions: new Definitions({ modules: [{ name: 'core', doc: '', functions: [...functions] }] }),
  members,
};
