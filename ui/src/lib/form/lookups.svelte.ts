// What fields look up while a form is filled in: a workflow that only looks is launched, and its output is kept for the same question.
import { SvelteMap } from 'svelte/reactivity';
import { aborted, api, ApiProblem, asProblem } from '$lib/api';
import { hasEnded } from '$lib/states';
import { isObject, read, split } from './pointer';

export interface Looked {
  busy: boolean;
  output?: unknown;
  /** Why there is no output. */
  problem?: ApiProblem;
  atMs: number;
}

/** What a hint names: a workflow, and its input with `{field}` in place of what is filled in. */
export interface Asking {
  run: string;
  input: unknown;
}

const FIRST_PAUSE_MS = 90;
const LAST_PAUSE_MS = 1_500;
/** After so long nobody waits for a choice. */
const PATIENCE_MS = 60_000;
const REFERENCE = /^\{([^{}]+)\}$/;

/** The field of this name that is nearest: beside the field at the pointer, or in a group around it. */
export function near(value: unknown, pointer: string, name: string): unknown {
  const parts = split(pointer);
  for (let length = parts.length - 1; length >= 0; length -= 1) {
    const group = read(value, parts.slice(0, length).map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''));
    if (isObject(group) && group[name] !== undefined) return group[name];
  }
  return undefined;
}

/** The input with what is filled in; undefined while something of it isn't there yet. */
export function filled(template: unknown, value: unknown, pointer: string): unknown {
  if (typeof template === 'string') {
    const named = REFERENCE.exec(template);
    if (!named) return template;
    const found = near(value, pointer, named[1]!);
    return found === '' ? undefined : found;
  }
  if (Array.isArray(template)) {
    const all = template.map((one) => filled(one, value, pointer));
    return all.includes(undefined) ? undefined : all;
  }
  if (!isObject(template)) return template;
  const all = Object.entries(template).map(([name, one]) => [name, filled(one, value, pointer)] as const);
  return all.some(([, one]) => one === undefined) ? undefined : Object.fromEntries(all);
}

/** What stands at `locations/{location}/sizes` of an output: `{location}` is the entry whose `id` is that field's value. */
export function pick(output: unknown, at: string, value: unknown, pointer: string): unknown {
  return at.split('/').filter(Boolean).reduce<unknown>((here, part) => {
    const named = REFERENCE.exec(part);
    if (!named) return isObject(here) && Object.hasOwn(here, part) ? here[part] : undefined;
    const wanted = near(value, pointer, named[1]!);
    return Array.isArray(here) ? here.find((one) => isObject(one) && one.id === wanted) : undefined;
  }, output);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Lookups {
  #known = new SvelteMap<string, Looked>();
  #stopped = new AbortController();

  constructor(private organisation: () => string | undefined = () => undefined) {}

  /** What is known of this question; asks it the first time, or again if that is wanted. */
  of(asking: Asking): Looked | undefined {
    return this.#known.get(keyOf(asking));
  }

  ask(asking: Asking, { again = false } = {}): void {
    const key = keyOf(asking);
    const known = this.#known.get(key);
    if (known && (known.busy || !again)) return;
    this.#known.set(key, { ...known, busy: true, atMs: Date.now() });
    void this.#look(asking).then((looked) => this.#known.set(key, looked), (error: unknown) => {
      if (!aborted(error)) this.#known.set(key, { busy: false, problem: asProblem(error), atMs: Date.now() });
    });
  }

  stop() {
    this.#stopped.abort();
  }

  async #look({ run, input }: Asking): Promise<Looked> {
    const signal = this.#stopped.signal;
    const launched = await api.post('/runs', { body: { workflow: run, input: input as never, tags: ['look-up'], organisation: this.organisation() }, signal });
    const until = Date.now() + PATIENCE_MS;
    for (let wait = FIRST_PAUSE_MS; Date.now() < until; wait = Math.min(wait * 1.5, LAST_PAUSE_MS)) {
      await pause(wait);
      const shown = await api.get('/runs/{id}', { path: { id: launched!.id }, signal });
      if (!shown || !hasEnded(shown.state)) continue;
      if (shown.state === 'succeeded') return { busy: false, output: shown.output, atMs: Date.now() };
      const told: Record<string, unknown> = isObject(shown.problem) ? shown.problem : {};
      return { busy: false, problem: new ApiProblem('unavailable', 0, String(told.message ?? told.detail ?? 'It couldn’t be looked up.'), typeof told.help === 'string' ? told.help : undefined), atMs: Date.now() };
    }
    return { busy: false, problem: new ApiProblem('unavailable', 0, `${run} hasn’t answered for a minute.`, 'Look again later, or fill it in by hand.'), atMs: Date.now() };
  }
}

const keyOf = ({ run, input }: Asking) => `${run} ${JSON.stringify(input)}`;

/** A hint that names a look-up, read from a schema. */
export function askingOf(hint: unknown, value: unknown, pointer: string): Asking | undefined {
  if (!isObject(hint) || typeof hint.run !== 'string') return undefined;
  const input = filled(hint.input ?? {}, value, pointer);
  return input === undefined ? undefined : { run: hint.run, input };
}
