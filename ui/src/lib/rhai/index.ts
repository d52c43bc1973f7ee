// Scripts in CodeMirror: the language, what helps while one types, how it looks. Heavy: only pages that edit import it.
import { StreamLanguage } from '@codemirror/language';
import { parser } from './tokens';

export const rhai = StreamLanguage.define(parser);
export { assistance, definitionAt, outlineOfDoc, source, type Place } from './assist';
export { Definitions, nothing, type Knowledge } from './definitions';
export { outlineOf, type Outline } from './outline';
export { scenarioKnowledge } from './kit';
export { theme } from './theme';
