// What scripts can call, as the server tells it, and what it says of a path in a script.
import type { Outline } from './outline';

export interface Param {
  name: string;
  kind: string;
  optional: boolean;
  doc: string;
}
export interface Definition {
  name: string;
  full: string;
  signature: string;
  doc: string;
  params: Param[];
  returns?: string;
  permission?: { verb: string; words: string } | null;
  class?: string;
  undo?: { op?: string; none?: string };
  example?: string;
  /** The module that it stands in, if it is one of the library's. */
  module?: string;
}
export interface Module {
  name: string;
  doc: string;
  functions: Definition[];
}

const CORE = 'core';

export class Definitions {
  readonly modules: Module[];
  readonly core: Definition[];

  constructor(json: unknown) {
    const modules = (json as { modules?: Module[] } | null)?.modules ?? [];
    this.core = modules.find((one) => one.name === CORE)?.functions ?? [];
    this.modules = modules.filter((one) => one.name !== CORE);
  }

  module(name: string): Module | undefined {
    return this.modules.find((one) => one.name === name);
  }
}

/** Everything that is known while one edits: the server's definitions, and the outlines of imported modules by name. */
export interface Knowledge {
  definitions: Definitions;
  modules: ReadonlyMap<string, Outline>;
  /** Names of modules that could be imported. */
  importable: readonly string[];
  /** Names of the input's fields, with what they are for. */
  fields: readonly { name: string; doc: string; type: string }[];
  /** What follows a dot beyond Rhai's own: functions, and properties, whose signature has no brackets. */
  members?: readonly Definition[];
}

export const nothing: Knowledge = { definitions: new Definitions(null), modules: new Map(), importable: [], fields: [] };

/** A function of a script as a definition. */
export function own(fn: Outline['functions'][number], prefix = '', module?: string): Definition {
  const full = prefix ? `${prefix}::${fn.name}` : fn.name;
  const params = fn.params.map((name) => ({ name, kind: '?', optional: false, doc: '' }));
  return { name: fn.name, full, signature: `${full}(${fn.params.join(', ')})`, doc: fn.doc, params, ...(module ? { module } : {}) };
}

/** All definitions of a path: functions with several forms have several. */
export function lookUp(path: string, outline: Outline, known: Knowledge): Definition[] {
  if (path.startsWith('.')) return known.members?.filter((one) => `.${one.name}` === path) ?? [];
  const parts = path.split('::');
  const last = parts.pop()!;
  const space = parts.join('::');
  if (!space) {
    const local = outline.functions.filter((one) => one.name === last).map((one) => own(one));
    return local.length ? local : known.definitions.core.filter((one) => one.name === last);
  }
  const imported = outline.imports.find((one) => one.alias === space);
  if (imported) {
    const functions = known.modules.get(imported.module)?.functions ?? [];
    return functions.filter((one) => one.name === last && !one.private).map((one) => own(one, space, imported.module));
  }
  return known.definitions.module(space)?.functions.filter((one) => one.name === last) ?? [];
}
