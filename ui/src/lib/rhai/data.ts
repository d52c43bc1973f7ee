// TOML and JSON in CodeMirror: what stands beside a script. Strings, comments, keys, numbers; nothing that needs a grammar.
import { StreamLanguage } from '@codemirror/language';
import { parser } from './tokens';

export const rhai = StreamLanguage.define(parser);

const toml = StreamLanguage.define<{ long: string; value: boolean }>({
  name: 'toml',
  startState: () => ({ long: '', value: false }),
  token(stream, state) {
    if (stream.sol() && !state.long) state.value = false;
    if (state.long) {
      if (stream.skipTo(state.long)) {
        stream.match(state.long);
        state.long = '';
      } else stream.skipToEnd();
      return 'string';
    }
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return 'comment';
    if (!state.value && stream.match(/^\[\[?[^\]]*\]\]?/)) return 'keyword';
    for (const long of ['"""', "'''"]) {
      if (stream.match(long)) {
        state.long = long;
        return 'string';
      }
    }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'[^']*'?/)) return state.value ? 'string' : 'propertyName.definition';
    if (stream.match(/^[=,[\]{}]/)) {
      if (stream.current() === '=') state.value = true;
      if (stream.current() === '{') state.value = false;
      return 'punctuation';
    }
    if (state.value && stream.match(/^(true|false)\b/)) return 'bool';
    if (state.value && stream.match(/^[+-]?[\d][\d_.:TZeE+-]*/)) return 'number';
    if (stream.match(/^[\w.-]+/)) return 'propertyName.definition';
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: '#' } },
});

const json = StreamLanguage.define<Record<string, never>>({
  name: 'json',
  startState: () => ({}),
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return stream.match(/^\s*:/, false) ? 'propertyName.definition' : 'string';
    if (stream.match(/^-?\d[\d.eE+-]*/)) return 'number';
    if (stream.match(/^(true|false|null)\b/)) return 'bool';
    stream.next();
    return 'punctuation';
  },
});

/** The language of a file, by its name. */
export const languageOf = (file: string) => (file.endsWith('.toml') ? toml : file.endsWith('.json') ? json : rhai);
