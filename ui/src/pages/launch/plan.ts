// What a rehearsal answers, as the page reads it.
import { isObject } from '$lib/form/pointer';
import { plural } from '$lib/format';

export interface PlannedStep {
  path: string;
  run: string;
  op: string;
  args: string;
  sign: 'create' | 'change' | 'remove' | 'wait';
  things: string[];
  note: string | null;
  site: string;
  undo: boolean;
}

export interface Plan {
  state: string;
  digest: string;
  steps: PlannedStep[];
  grants: { grant: string; words: string; used: boolean }[];
  output: unknown;
  problem: { code?: string; message?: string; help?: string | null } | null;
  durationMs: number | null;
}

const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);
const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function planOf(answer: unknown): Plan {
  const plan = isObject(answer) ? answer : {};
  const objects = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : []);
  return {
    state: text(plan.state),
    digest: text(plan.digest),
    steps: objects(plan.plan).map((step) => ({
      path: text(step.path), run: text(step.run), op: text(step.op), args: text(step.args),
      sign: (['create', 'change', 'remove', 'wait'] as const).find((one) => one === step.sign) ?? 'change',
      things: texts(step.things), note: typeof step.note === 'string' ? step.note : null, site: text(step.site), undo: step.undo === true,
    })),
    grants: objects(plan.grants).map((one) => ({ grant: text(one.grant), words: text(one.words), used: one.used === true })),
    output: plan.output,
    problem: isObject(plan.problem) ? plan.problem : null,
    durationMs: typeof plan.duration_ms === 'number' ? plan.duration_ms : null,
  };
}

/** How much of what a plan does, in words: `makes 3, changes 2, waits once`. */
export function summaryOf(plan: Plan): string {
  const count = (sign: PlannedStep['sign']) => plan.steps.filter((step) => step.sign === sign && !step.undo).length;
  const things = (sign: PlannedStep['sign']) => plan.steps.filter((step) => step.sign === sign && !step.undo).reduce((sum, step) => sum + Math.max(1, step.things.length), 0);
  const undone = plan.steps.filter((step) => step.undo).length;
  const parts = [
    count('create') && `makes ${plural(things('create'), 'thing')}`, count('change') && `changes ${plural(count('change'), 'thing')}`, count('remove') && `removes ${plural(things('remove'), 'thing')}`,
    count('wait') && `waits ${count('wait') === 1 ? 'once' : `${count('wait')} times`}`, undone && `undoes ${plural(undone, 'thing')}`,
  ].filter(Boolean);
  return parts.length ? parts.join(', ') : 'changes nothing outside of the run';
}
