// The steps of a form: which fields stand in which, and where something is to be put right.
import { asSchema, effective, inOrder, type Schema } from './schema';
import { isObject, split } from './pointer';

export interface Step {
  title: string;
  description?: string;
  /** Names of its fields. */
  fields: string[];
}

/** A workflow's header, as far as a form needs it. */
export interface Formed {
  inputs?: unknown;
  wizard?: readonly ({ title?: string | null; [more: string]: unknown } | string)[];
}

/** The wizard's steps; none if it has fewer than two with fields. Fields that name no step stand in the first. */
export function stepsOf(workflow: Formed, value: unknown): Step[] {
  const root = asSchema(workflow.inputs);
  const schema = effective(root, value, root);
  const steps: Step[] = (workflow.wizard ?? []).map((step) => {
    const told = isObject(step) ? step : { title: step as string };
    const said = told.description ?? told.help;
    const description = typeof said === 'string' ? said : undefined;
    return { title: String(told.title ?? ''), description, fields: [] };
  });
  if (steps.length < 2) return [];
  for (const name of inOrder(fieldsOf(schema, value, root), schema)) {
    const own = effective(schema.properties?.[name], undefined, root);
    (steps.find((step) => step.title === own['x-step']) ?? steps[0]!).fields.push(name);
  }
  const filled = steps.filter((step) => step.fields.length);
  return filled.length < 2 ? [] : filled;
}

/** The fields at the top, those of a choice at the top as well. */
export function fieldsOf(schema: Schema, value: unknown, root: Schema): string[] {
  const choices = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].map((choice) => effective(choice, value, root));
  return [...new Set([schema, ...choices].flatMap((part) => Object.keys(part.properties ?? {})))];
}

/** The step that a place of the value belongs to. */
export const stepOf = (steps: readonly Step[], pointer: string): number => {
  const [name] = split(pointer);
  return Math.max(0, steps.findIndex((step) => name !== undefined && step.fields.includes(name)));
};

/** A step's name in the address. */
export const slug = (title: string) => title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'step';
