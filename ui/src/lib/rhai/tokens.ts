// Rhai, line by line: the same tokens colour the text and tell what stands in it.
import { StringStream, type StreamParser } from '@codemirror/language';

export const KEYWORDS = [
  'let', 'const', 'if', 'else', 'switch', 'do', 'while', 'until', 'loop', 'for', 'in', 'continue', 'break', 'return', 'throw', 'try',
  'catch', 'import', 'export', 'as', 'fn', 'private', 'this', 'global',
] as const;
const keywords = new Set<string>(KEYWORDS);

/** What is open: a bracket with the indentation of its line, a string that goes on, code inside of a template. */
type Open = { kind: 'bracket'; char: string; indent: number } | { kind: 'comment'; depth: number } | { kind: 'template' } | { kind: 'string' };

export interface State {
  open: Open[];
  /** What stood before on this path: tells `fn name`, `.name`, `let name`. */
  before: string;
  /** The indentation of the line. */
  indent: number;
}

const inside = (state: State) => state.open[state.open.length - 1];

function comment(stream: StringStream, state: State, open: { depth: number }): string {
  while (!stream.eol()) {
    if (stream.match('/*')) open.depth += 1;
    else if (stream.match('*/')) {
      open.depth -= 1;
      if (open.depth === 0) {
        state.open.pop();
        break;
      }
    } else stream.next();
  }
  return 'comment';
}

function template(stream: StringStream, state: State): string {
  let read = false;
  while (!stream.eol()) {
    if (stream.match('${', false)) {
      if (read) return 'string';
      stream.match('${');
      state.open.push({ kind: 'bracket', char: '${', indent: state.indent });
      state.before = '';
      return 'brace';
    }
    read = true;
    const char = stream.next();
    if (char === '\\') stream.next();
    else if (char === '`') {
      if (stream.eat('`')) continue;
      state.open.pop();
      state.before = 'value';
      return 'string';
    }
  }
  return 'string';
}

function string(stream: StringStream, state: State): string {
  for (;;) {
    const char = stream.next();
    if (char === '"' || char === undefined) {
      state.open.pop();
      break;
    }
    if (char === '\\') {
      if (stream.eol()) return 'string';
      stream.next();
    }
  }
  state.before = 'value';
  return 'string';
}

function name(stream: StringStream, state: State): string {
  const word = /^[A-Za-z_]\w*/.exec(stream.string.slice(stream.start))![0];
  stream.pos = stream.start + word.length;
  const rest = stream.string.slice(stream.pos);
  const before = state.before;
  state.before = word;
  if (before === '.' || before === '?.') return /^\s*\(/.test(rest) ? 'propertyName.function' : 'propertyName';
  if (before !== '::' && /^\s*:(?!:)/.test(rest) && inside(state)?.kind === 'bracket' && (inside(state) as { char: string }).char === '#{') return 'propertyName.definition';
  if (word === 'true' || word === 'false') return 'bool';
  if (keywords.has(word) && before !== '::') return 'keyword';
  if (before === 'fn') return 'variableName.function.definition';
  if (/^\s*::/.test(rest)) return 'namespace';
  if (/^\s*!?\(/.test(rest)) return 'variableName.function';
  if (['let', 'const', 'for', 'as', 'catch'].includes(before)) return 'variableName.definition';
  if (/^[A-Z][A-Z0-9_]*$/.test(word)) return 'variableName.constant';
  return 'variableName';
}

function token(stream: StringStream, state: State): string | null {
  if (stream.sol()) state.indent = stream.indentation();
  const open = inside(state);
  if (open?.kind === 'comment') return comment(stream, state, open);
  if (open?.kind === 'template') return template(stream, state);
  if (open?.kind === 'string') return string(stream, state);
  if (stream.eatSpace()) return null;
  if (stream.match(/^\/\/[/!]/)) {
    stream.skipToEnd();
    return 'docComment';
  }
  if (stream.match('//')) {
    stream.skipToEnd();
    return 'comment';
  }
  if (stream.match('/*')) {
    const opened = { kind: 'comment' as const, depth: 1 };
    state.open.push(opened);
    return comment(stream, state, opened);
  }
  if (stream.match('"')) {
    state.open.push({ kind: 'string' });
    return string(stream, state);
  }
  if (stream.match('`')) {
    state.open.push({ kind: 'template' });
    if (stream.eol()) return 'string';
    return stream.match('${', false) ? 'string' : template(stream, state);
  }
  if (stream.match(/^'(\\[^u]|\\u[\da-fA-F]+|[^'\\])[^']*'/)) {
    state.before = 'value';
    return 'character';
  }
  if (stream.match(/^(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(\.(?!\.)\d[\d_]*)?([eE][+-]?\d+)?)/)) {
    state.before = 'value';
    return 'number';
  }
  if (/[A-Za-z_]/.test(stream.peek() ?? '')) return name(stream, state);
  if (stream.match('#{')) {
    state.open.push({ kind: 'bracket', char: '#{', indent: state.indent });
    state.before = '#{';
    return 'brace';
  }
  const char = stream.peek() ?? '';
  if ('([{'.includes(char)) {
    stream.next();
    state.open.push({ kind: 'bracket', char, indent: state.indent });
    state.before = char;
    return char === '{' ? 'brace' : char === '[' ? 'squareBracket' : 'paren';
  }
  if (')]}'.includes(char)) {
    stream.next();
    if (open?.kind === 'bracket') state.open.pop();
    state.before = char;
    return char === '}' ? 'brace' : char === ']' ? 'squareBracket' : 'paren';
  }
  const operator = stream.match(/^(::|\?\.|\.\.=?|=>|->|\|\||&&|\?\?|[=!<>]=|<<=?|>>=?|\*\*=?|[-+*/%&|^]=?|[=<>!?.,;:])/) as RegExpMatchArray | null;
  if (operator) {
    state.before = operator[0];
    if (operator[0] === '.' || operator[0] === '?.') return 'derefOperator';
    return /^[,;:]$/.test(operator[0]) || operator[0] === '::' ? 'punctuation' : 'operator';
  }
  stream.next();
  return null;
}

const copy = (state: State): State => ({ ...state, open: state.open.map((one) => ({ ...one })) });

export const parser: StreamParser<State> = {
  name: 'rhai',
  startState: () => ({ open: [], before: '', indent: 0 }),
  copyState: copy,
  token,
  blankLine: () => {},
  indent(state, after, context) {
    const open = inside(state);
    if (open && open.kind !== 'bracket') return null;
    if (!open) return 0;
    return /^\s*[\])}]/.test(after) ? open.indent : open.indent + context.unit;
  },
  languageData: {
    commentTokens: { line: '//', block: { open: '/*', close: '*/' } },
    closeBrackets: { brackets: ['(', '[', '{', '"', '`'] },
    indentOnInput: /^\s*[\])}]$/,
  },
};

export interface Token {
  from: number;
  to: number;
  text: string;
  /** `keyword`, `variableName.function`, `comment`, … */
  kind: string;
}

/** All tokens of a text, without spaces. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const state = parser.startState!(4);
  let offset = 0;
  for (const line of text.split('\n')) {
    const stream = new StringStream(line, 4, 4);
    while (!stream.eol()) {
      stream.start = stream.pos;
      const kind = parser.token(stream, state);
      if (stream.pos === stream.start) {
        stream.next();
        continue;
      }
      const part = line.slice(stream.start, stream.pos);
      if (kind !== null || part.trim()) tokens.push({ from: offset + stream.start, to: offset + stream.pos, text: part, kind: kind ?? '' });
    }
    offset += line.length + 1;
  }
  return tokens;
}

export const isText = (token: Token) => token.kind === 'comment' || token.kind === 'docComment' || token.kind === 'string' || token.kind === 'character';
export const isComment = (token: Token) => token.kind === 'comment' || token.kind === 'docComment';
