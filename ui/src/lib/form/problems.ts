// What a refusal says of a form's fields.
import type { ApiProblem } from '$lib/api';
import { isObject } from './pointer';
import type { Fault } from './validate';

/** The places that a refusal names, as pointers into the form's value: those under `prefix` of what was sent. */
export function problemsOf(problem: ApiProblem | null | undefined, prefix = '/input'): Fault[] {
  if (!problem || problem.code !== 'invalid_input') return [];
  const told = isObject(problem.data) && Array.isArray(problem.data.faults) ? (problem.data.faults as unknown[]) : [];
  const all = told.length ? told : [{ pointer: problem.pointer ?? '', message: problem.detail }];
  return all.flatMap((one) => {
    if (!isObject(one) || typeof one.pointer !== 'string' || typeof one.message !== 'string') return [];
    if (one.pointer !== prefix && !one.pointer.startsWith(`${prefix}/`)) return [];
    return [{ pointer: one.pointer.slice(prefix.length), message: one.message }];
  });
}
