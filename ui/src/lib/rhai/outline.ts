// What stands in a script: functions, imports, constants, the names that are seen at a place.
import { isComment, isText, tokensOf, type Token } from './tokens';

export interface Fn {
  name: string;
  params: string[];
  /** The `///` lines above. */
  doc: string;
  private: boolean;
  /** Where its name is. */
  from: number;
  to: number;
  /** Its body with its braces; the end of the text if it isn't closed. */
  body: [number, number];
}
export interface Import {
  module: string;
  alias: string;
  from: number;
  to: number;
}
export interface Named {
  name: string;
  from: number;
}
export interface Outline {
  /** The `//!` lines at the beginning. */
  doc: string;
  functions: Fn[];
  imports: Import[];
  constants: Named[];
  tokens: Token[];
}

/** Index of the bracket that closes the one at `index`; -1: none does. */
export function closing(tokens: readonly Token[], index: number): number {
  let depth = 0;
  for (let at = index; at < tokens.length; at += 1) {
    const { text, kind } = tokens[at]!;
    if (isText(tokens[at]!) || kind === '') continue;
    if (/^(#\{|\$\{|[([{])$/.test(text)) depth += 1;
    else if (/^[)\]}]$/.test(text)) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return -1;
}

const unquoted = (text: string) => text.slice(1, -1).replace(/\\(.)/g, '$1');

function docAbove(tokens: readonly Token[], index: number): string {
  const lines: string[] = [];
  for (let at = index - 1; at >= 0 && tokens[at]!.kind === 'docComment' && tokens[at]!.text.startsWith('///'); at -= 1) lines.unshift(tokens[at]!.text.slice(3).trim());
  return lines.join(' ');
}

export function outlineOf(text: string): Outline {
  const tokens = tokensOf(text);
  const outline: Outline = { doc: '', functions: [], imports: [], constants: [], tokens };
  const head: string[] = [];
  for (const token of tokens) {
    if (!token.text.startsWith('//!')) break;
    head.push(token.text.slice(3).trim());
  }
  outline.doc = head.join(' ');
  let depth = 0;
  tokens.forEach((token, index) => {
    if (isText(token)) return;
    if (/^(#\{|\$\{|[([{])$/.test(token.text)) depth += 1;
    else if (/^[)\]}]$/.test(token.text)) depth -= 1;
    if (token.kind !== 'keyword') return;
    const next = tokens[index + 1];
    if (token.text === 'fn' && next?.kind.startsWith('variableName')) {
      const open = index + 2;
      const end = tokens[open]?.text === '(' ? closing(tokens, open) : -1;
      const params = end < 0 ? [] : tokens.slice(open + 1, end).filter((one) => one.kind.startsWith('variableName')).map((one) => one.text);
      const brace = end < 0 ? -1 : end + 1;
      const closed = tokens[brace]?.text === '{' ? closing(tokens, brace) : -1;
      const before = tokens[index - 1];
      const isPrivate = before?.text === 'private' && before.kind === 'keyword';
      outline.functions.push({
        name: next.text, params, doc: docAbove(tokens, isPrivate ? index - 1 : index), private: isPrivate, from: next.from, to: next.to,
        body: [tokens[brace]?.from ?? next.to, closed < 0 ? text.length : tokens[closed]!.to],
      });
    } else if (token.text === 'import' && next?.kind === 'string') {
      const alias = tokens[index + 2]?.text === 'as' ? tokens[index + 3] : undefined;
      outline.imports.push({ module: unquoted(next.text), alias: alias?.text ?? '', from: next.from, to: next.to });
    } else if (token.text === 'const' && depth <= 0 && next) {
      outline.constants.push({ name: next.text, from: next.from });
    }
  });
  return outline;
}

export const functionAt = (outline: Outline, at: number): Fn | undefined => outline.functions.find((fn) => at >= fn.body[0] && at <= fn.body[1]);

/** Variables that are seen at a place, innermost last: parameters, `let`, `for`, `catch`, parameters of closures. */
export function variablesAt(outline: Outline, at: number): Named[] {
  const fn = functionAt(outline, at);
  if (!fn) return [];
  const found = fn.params.map((name) => ({ name, from: fn.from }));
  /** How many names were known when each bracket was opened: what is declared inside is forgotten at its end. */
  const scopes: number[] = [];
  const { tokens } = outline;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index]!;
    if (token.from < fn.body[0] || isComment(token)) continue;
    if (token.from >= at) break;
    if (!isText(token) && /^(#\{|\$\{|\{)$/.test(token.text)) scopes.push(found.length);
    else if (!isText(token) && token.text === '}') found.length = Math.min(found.length, scopes.pop() ?? found.length);
    const next = tokens[index + 1];
    if (token.kind === 'keyword' && ['let', 'const'].includes(token.text) && next && next.to < at) found.push({ name: next.text, from: next.from });
    if (token.kind === 'keyword' && ['for', 'catch'].includes(token.text)) {
      for (let on = index + 1; tokens[on] && !['in', '{'].includes(tokens[on]!.text); on += 1) if (tokens[on]!.kind.startsWith('variableName')) found.push({ name: tokens[on]!.text, from: tokens[on]!.from });
    }
    const before = tokens[index - 1];
    if (token.text === '|' && token.kind === 'operator' && before && /^([(,=|]|=>)$/.test(before.text)) {
      for (let on = index + 1; tokens[on] && tokens[on]!.text !== '|'; on += 1) if (tokens[on]!.kind.startsWith('variableName')) found.push({ name: tokens[on]!.text, from: tokens[on]!.from });
    }
  }
  return found;
}

/** The call that a place is in: its path (`net::build`), and which argument, from 0. */
export function callAt(outline: Outline, at: number): { path: string; argument: number; from: number } | null {
  const { tokens } = outline;
  const open: { index: number; commas: number }[] = [];
  for (let index = 0; index < tokens.length && tokens[index]!.to <= at; index += 1) {
    const token = tokens[index]!;
    if (isText(token)) continue;
    if (/^(#\{|\$\{|[([{])$/.test(token.text)) open.push({ index, commas: 0 });
    else if (/^[)\]}]$/.test(token.text)) open.pop();
    else if (token.text === ',' && open.length) open[open.length - 1]!.commas += 1;
  }
  for (const { index, commas } of open.reverse()) {
    if (tokens[index]!.text === '{') return null;
    if (tokens[index]!.text !== '(') continue;
    const callee = tokens[index - 1];
    if (!callee || !/function/.test(callee.kind) || /definition/.test(callee.kind)) return null;
    return { path: pathAt(tokens, index - 1), argument: commas, from: callee.from };
  }
  return null;
}

/** The path that ends with a token: `net::build`, `.len`. */
export function pathAt(tokens: readonly Token[], index: number): string {
  let path = tokens[index]!.text;
  if (tokens[index - 1]?.kind === 'derefOperator') return `.${path}`;
  for (let at = index; tokens[at - 1]?.text === '::' && tokens[at - 2]; at -= 2) path = `${tokens[at - 2]!.text}::${path}`;
  return path;
}

/** The token at a place, by halving. */
export function tokenIndexAt(tokens: readonly Token[], at: number): number {
  let [low, high] = [0, tokens.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const token = tokens[middle]!;
    if (token.to < at) low = middle + 1;
    else if (token.from > at) high = middle - 1;
    else return token.to === at && tokens[middle + 1]?.from === at && /^\w/.test(tokens[middle + 1]!.text) ? middle + 1 : middle;
  }
  return -1;
}
