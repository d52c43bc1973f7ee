// What could stand at a place: host functions, built-in ones, those of imported modules, variables, fields, methods.
import { functionAt, tokenIndexAt, variablesAt, type Outline } from './outline';
import { own, type Definition, type Knowledge } from './definitions';
import { isComment, KEYWORDS } from './tokens';

export interface Offer {
  label: string;
  /** As CodeMirror draws it: function, variable, keyword, namespace, property, constant, text. */
  type: string;
  detail?: string;
  definition?: Definition;
  doc?: string;
  /** What is put in, if it isn't the label; in CodeMirror’s template: `${name}` is a place to fill in. */
  snippet?: string;
  boost?: number;
}

const HEADER: readonly (readonly [string, string, string])[] = [
  ['name', 'The workflow’s name, as its file is called', 'name: "${area/name}",'],
  ['title', 'One line that people read', 'title: "${}",'],
  ['description', 'What it does, in a few sentences', 'description: "${}",'],
  ['inputs', 'JSON Schema of what it takes', 'inputs: #\\{ type: "object", additionalProperties: false, properties: #\\{ ${} \\} \\},'],
  ['permissions', 'What it may do: `module.verb:scope`', 'permissions: ["${}"],'],
  ['rollback', '`"auto"` undoes what a failed run did, `"manual"` leaves it', 'rollback: "${auto}",'],
  ['timeout', 'How long a run may take: `"10m"`', 'timeout: "${10m}",'],
  ['concurrency', 'Runs that exclude one another', 'concurrency: #\\{ key: "${key}", limit: ${1} \\},'],
  ['retention', 'How long ended runs are kept: `"90d"`', 'retention: "${90d}",'],
  ['tags', 'Words to find it by', 'tags: ["${}"],'],
  ['wizard', 'Steps of the form', 'wizard: [#\\{ title: "${}" \\}],'],
];

const METHODS: readonly (readonly [string, string])[] = [
  ['len()', 'How many elements or characters'], ['is_empty()', 'Whether there is nothing in it'], ['push(value)', 'Adds at the end of an array'],
  ['pop()', 'Takes the last element out'], ['insert(at, value)', 'Puts in at a place'], ['remove(key)', 'Takes an element or a property out'],
  ['contains(value)', 'Whether it is in there'], ['index_of(value)', 'Where it is; -1: nowhere'], ['keys()', 'Names of a map’s properties'],
  ['values()', 'Values of a map’s properties'], ['map(|x| x)', 'A new array, each element through a function'], ['filter(|x| true)', 'A new array of the elements that pass'],
  ['reduce(|sum, x| sum + x, 0)', 'One value of all elements'], ['some(|x| true)', 'Whether one element passes'], ['all(|x| true)', 'Whether all elements pass'],
  ['find(|x| true)', 'The first element that passes'], ['sort()', 'Sorts in place'], ['reverse()', 'Turns around in place'], ['dedup()', 'Leaves repeated neighbours out'],
  ['split(" ")', 'An array of a text’s parts'], ['trim()', 'Without spaces around it'], ['to_upper()', 'In capitals'], ['to_lower()', 'In small letters'],
  ['starts_with("")', 'Whether a text begins so'], ['ends_with("")', 'Whether a text ends so'], ['replace("", "")', 'Replaces in place'], ['sub_string(0, 1)', 'A part of a text'],
  ['to_string()', 'As text'], ['to_int()', 'Without what is behind the point'], ['to_float()', 'With a point'], ['type_of()', 'What it is'],
];

/** A call to fill in: `build(${lab}, ${topology})`. What is optional is left out. */
function call(definition: Definition): string {
  const needed = definition.params.filter((one) => !one.optional);
  return `${definition.name}(${needed.map((one) => `\${${one.name}}`).join(', ')})`;
}

const offer = (definition: Definition, boost = 0): Offer => ({
  label: definition.name, type: 'function', definition, boost, snippet: call(definition),
  detail: definition.signature.slice(definition.signature.indexOf('(')) + (definition.returns && definition.returns !== '()' ? ` → ${definition.returns}` : ''),
});

/** Whether a place is in a text or a comment, and which. */
function enclosing(outline: Outline, at: number) {
  const index = tokenIndexAt(outline.tokens, at);
  const token = outline.tokens[index];
  if (!token || token.from >= at) return null;
  if (isComment(token)) return { index, token };
  if (token.kind !== 'string') return null;
  // At its end a string is over, unless it isn't closed.
  const closed = token.text.length > 1 && /["`]$/.test(token.text);
  return token.to === at && closed ? null : { index, token };
}

/** What could stand at `at`, and where the word begins that it would replace; null: nothing is known. */
export function offersAt(text: string, at: number, outline: Outline, known: Knowledge): { from: number; offers: Offer[] } | null {
  const within = enclosing(outline, at);
  if (within) {
    if (within.token.kind !== 'string' || outline.tokens[within.index - 1]?.text !== 'import') return null;
    return { from: within.token.from + 1, offers: known.importable.map((label) => ({ label, type: 'namespace' })) };
  }
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
  const word = /\w*$/.exec(line)![0];
  const from = at - word.length;
  const before = line.slice(0, line.length - word.length);
  if (/^\d/.test(word)) return null;

  const space = /(\w+)\s*::\s*$/.exec(before)?.[1];
  if (space) {
    const imported = outline.imports.find((one) => one.alias === space);
    if (imported) {
      const functions = known.modules.get(imported.module)?.functions.filter((one) => !one.private) ?? [];
      return { from, offers: functions.map((one) => offer(own(one, space, imported.module))) };
    }
    if (space === 'global') return { from, offers: outline.constants.map((one) => ({ label: one.name, type: 'constant' })) };
    const module = known.definitions.module(space);
    return module ? { from, offers: module.functions.map((one) => offer(one)) } : null;
  }
  if (/(^|[^.])\.\s*$/.test(before)) {
    const offers: Offer[] = METHODS.map(([method, doc]) => ({ label: method.slice(0, method.indexOf('(')), type: 'method', detail: method.slice(method.indexOf('(')), doc, snippet: method.endsWith('()') ? method : `${method.slice(0, method.indexOf('('))}(\${})` }));
    offers.unshift(...(known.members ?? []).map((one) => (one.signature.includes('(') ? offer(one, 20) : { label: one.name, type: 'property', doc: one.doc, boost: 20 })));
    if (/\binput\.\s*$/.test(before)) offers.unshift(...known.fields.map((field) => ({ label: field.name, type: 'property', detail: field.type, doc: field.doc, boost: 20 })));
    return { from, offers };
  }
  if (/\b(fn|let|const|as|for)\s+$/.test(before)) return null;
  if (inHeader(outline, from)) return { from, offers: HEADER.map(([label, doc, snippet]) => ({ label, type: 'property', doc, snippet })) };

  const offers: Offer[] = [];
  const add = (one: Offer) => void (offers.some((other) => other.label === one.label && other.type === one.type) || offers.push(one));
  variablesAt(outline, at).reverse().forEach((one) => add({ label: one.name, type: 'variable', boost: 10 }));
  outline.functions.filter((one) => !/^(run|main)$/.test(one.name) || functionAt(outline, at)?.name !== one.name).forEach((one) => add(offer(own(one), 5)));
  outline.imports.filter((one) => one.alias).forEach((one) => add({ label: one.alias, type: 'namespace', detail: one.module, snippet: `${one.alias}::`, boost: 4 }));
  known.definitions.core.forEach((one) => add(offer(one, 2)));
  known.definitions.modules.forEach((one) => add({ label: one.name, type: 'namespace', doc: one.doc, snippet: `${one.name}::`, boost: 1 }));
  KEYWORDS.forEach((label) => add({ label, type: 'keyword', boost: -1 }));
  ['true', 'false'].forEach((label) => add({ label, type: 'constant', boost: -1 }));
  return { from, offers };
}

/** Whether a place is directly in `const WORKFLOW = #{ … }`, where a property's name begins. */
function inHeader(outline: Outline, at: number): boolean {
  const { tokens } = outline;
  const start = tokens.findIndex((token, index) => token.text === 'WORKFLOW' && tokens[index - 1]?.text === 'const');
  if (start < 0 || tokens[start]!.from > at) return false;
  let depth = 0;
  let last = start;
  for (let index = start + 1; index < tokens.length && tokens[index]!.to <= at; index += 1) {
    const { text, kind } = tokens[index]!;
    last = index;
    if (['brace', 'paren', 'squareBracket'].includes(kind)) depth += /[([{]/.test(text) ? 1 : -1;
    if (text === ';' && depth === 0) return false;
  }
  return depth === 1 && ['#{', ','].includes(tokens[last]!.text);
}
