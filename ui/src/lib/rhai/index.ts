// Scripts in CodeMirror: the language, what helps while one types, how it looks. Heavy: only pages that edit import it.
export { assistance, definitionAt, outlineOfDoc, source, type Place } from './assist';
export { Definitions, nothing, type Knowledge } from './definitions';
export { outlineOf, type Outline } from './outline';
export { scenarioKnowledge } from './kit';
export { theme } from './theme';
export { languageOf, rhai } from './data';
export { pluginKnowledge } from './pluginKit';
