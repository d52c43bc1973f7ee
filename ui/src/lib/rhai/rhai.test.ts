// The language: tokens, outline, what is offered and what is known at a place.
import { CompletionContext } from '@codemirror/autocomplete';
import { EditorState } from '@codemirror/state';
import { foldService, getIndentation, IndentContext } from '@codemirror/language';
import { describe, expect, it } from 'vitest';
// @ts-expect-error The sources here are a browser's, which has no files; this test has.
import { readFileSync } from 'node:fs';
import { rhai } from '.';
import { definitionAt, describe as card, folding, source } from './assist';
import { offersAt } from './completions';
import { Definitions, lookUp, type Knowledge } from './definitions';
import { functions, members, scenarioKnowledge } from './kit';
import { callAt, outlineOf, variablesAt } from './outline';
import { tokensOf } from './tokens';

const kinds = (text: string) => tokensOf(text).map((one) => [one.text, one.kind]);

const SCRIPT = `//! What it is for.
import "lib/lab" as lab;

const WORKFLOW = #{
    name: "lab/x",
};
const LIMIT = 3;

/// Greets
/// somebody.
fn greet(who, loud) {
    let text = \`hello \${who + "}"}\`;
    for (n, index) in 0..3 {
        let inner = n;
        log(text);
    }
    text
}

private fn run(input) {
    let made = net::build(input.lab, #{ a: [1, 2] });
    lab::attach(input.lab, made);
    items.map(|item, at| item + at);
    greet(global::LIMIT, )
}
`;
const outline = outlineOf(SCRIPT);
const at = (text: string, after = 0) => SCRIPT.indexOf(text) + text.length + after;

const known: Knowledge = {
  definitions: new Definitions({
    modules: [
      { name: 'core', doc: '', functions: [{ name: 'log', full: 'log', signature: 'log(text)', doc: 'Says it.', params: [{ name: 'text', kind: 'string', optional: false, doc: 'What' }], returns: '()' }] },
      {
        name: 'net', doc: 'Labs.', functions: [{
          name: 'build', full: 'net::build', signature: 'net::build(lab, plan, options?)', doc: 'Builds all.', returns: 'map', class: 'keyed', permission: { verb: 'net.write', words: 'change the lab' }, undo: { op: 'net::unbuild' },
          params: [{ name: 'lab', kind: 'string', optional: false, doc: 'Which.' }, { name: 'plan', kind: 'map', optional: false, doc: 'All of it.' }, { name: 'options', kind: 'map', optional: true, doc: '' }],
        }],
      },
    ],
  }),
  modules: new Map([['lib/lab', outlineOf('/// Puts it on.\nfn attach(lab, at) {}\nprivate fn hidden() {}')]]),
  importable: ['lib/lab', 'lib/more'],
  fields: [{ name: 'rows', type: 'integer', doc: 'Rows' }],
};

describe('tokens', () => {
  it('tell keywords, calls, paths, fields and numbers apart', () => {
    expect(kinds('let x = net::build(1_000, 0xFF, 1.5e3, a.b, a.c());')).toEqual([
      ['let', 'keyword'], ['x', 'variableName.definition'], ['=', 'operator'], ['net', 'namespace'], ['::', 'punctuation'], ['build', 'variableName.function'], ['(', 'paren'],
      ['1_000', 'number'], [',', 'punctuation'], ['0xFF', 'number'], [',', 'punctuation'], ['1.5e3', 'number'], [',', 'punctuation'],
      ['a', 'variableName'], ['.', 'derefOperator'], ['b', 'propertyName'], [',', 'punctuation'], ['a', 'variableName'], ['.', 'derefOperator'], ['c', 'propertyName.function'], ['(', 'paren'], [')', 'paren'], [')', 'paren'], [';', 'punctuation'],
    ]);
    expect(kinds('for i in 1..=20 { }').map(([text]) => text)).toEqual(['for', 'i', 'in', '1', '..=', '20', '{', '}']);
  });

  it('know templates with code inside, over several lines', () => {
    const found = kinds('let t = `a ${f(`x${1}`, "}")} b\n c` + 1');
    expect(found.filter(([, kind]) => kind === 'string').map(([text]) => text)).toEqual(['`a ', '`x', '`', '"}"', ' b', ' c`']);
    expect(found).toContainEqual(['f', 'variableName.function']);
    expect(found.at(-1)).toEqual(['1', 'number']);
    expect(found.filter(([text]) => text === '${')).toHaveLength(2);
  });

  it('nest comments, and strings end where they end', () => {
    expect(kinds('/* a /* b */ c */ x "a\\"b" \'c\' // d')).toEqual([['/* a /* b */ c */', 'comment'], ['x', 'variableName'], ['"a\\"b"', 'string'], ["'c'", 'character'], ['// d', 'comment']]);
    expect(kinds('/* a\n b */ y').at(-1)).toEqual(['y', 'variableName']);
    expect(kinds('/// doc')[0]![1]).toBe('docComment');
  });

  it('know the names in maps', () => {
    expect(kinds('#{ a: b, "c": x::d }').filter(([, kind]) => kind === 'propertyName.definition')).toEqual([['a', 'propertyName.definition']]);
    // In a switch a colon after a name doesn't occur; outside of maps it is no field.
    expect(kinds('{ a : b }').filter(([, kind]) => kind === 'propertyName.definition')).toEqual([]);
  });
});

describe('the outline', () => {
  it('has functions with their docs, imports and constants', () => {
    expect(outline.doc).toBe('What it is for.');
    expect(outline.functions.map((one) => [one.name, one.params, one.doc, one.private])).toEqual([['greet', ['who', 'loud'], 'Greets somebody.', false], ['run', ['input'], '', true]]);
    expect(outline.imports.map((one) => [one.module, one.alias])).toEqual([['lib/lab', 'lab']]);
    expect(outline.constants.map((one) => one.name)).toEqual(['WORKFLOW', 'LIMIT']);
  });

  it('knows what is seen where', () => {
    const names = (place: number) => variablesAt(outline, place).map((one) => one.name);
    expect(names(at('log('))).toEqual(['who', 'loud', 'text', 'n', 'index', 'inner']);
    expect(names(at('    }\n    te'))).not.toContain('inner');
    expect(names(at('|item, at| '))).toEqual(['input', 'made', 'item', 'at']);
    expect(names(0)).toEqual([]);
  });

  it('knows the call that a place is in', () => {
    expect(callAt(outline, at('net::build(input.lab, '))).toMatchObject({ path: 'net::build', argument: 1 });
    expect(callAt(outline, at('#{ a: [1, '))).toMatchObject({ path: 'net::build', argument: 1 });
    expect(callAt(outline, at('greet(global::LIMIT, '))).toMatchObject({ path: 'greet', argument: 1 });
    expect(callAt(outline, at('fn greet(who, '))).toBeNull();
    expect(callAt(outline, at('let made'))).toBeNull();
  });
});

describe('completion', () => {
  const labels = (text: string) => offersAt(text.replace('¦', ''), text.indexOf('¦'), outlineOf(text.replace('¦', '')), known)?.offers.map((one) => one.label) ?? null;
  const FN = 'import "lib/lab" as lab;\nfn greet(who) {}\nfn run(input) {\n';
  it('offers what fits the place', () => {
    expect(labels(`${FN} net::b¦`)).toEqual(['build']);
    expect(labels(`${FN} lab::¦`)).toEqual(['attach']);
    expect(labels(`${FN} let x = 1; ¦`)).toEqual(expect.arrayContaining(['x', 'input', 'greet', 'lab', 'log', 'net', 'if', 'true']));
    expect(labels(`${FN} input.¦`)![0]).toBe('rows');
    expect(labels(`${FN} [1].¦`)).toContain('len');
    expect(labels('import "lib¦"')).toEqual(['lib/lab', 'lib/more']);
    expect(labels('const WORKFLOW = #{ name: "a/b", ¦ };')).toContain('permissions');
    expect(labels('const WORKFLOW = #{ inputs: #{ ¦ } };')).not.toContain('permissions');
  });
  it('keeps still in comments, in texts and where a name is made', () => {
    expect(labels(`${FN} // lo¦`)).toBeNull();
    expect(labels(`${FN} "lo¦g"`)).toBeNull();
    expect(labels(`${FN} let lo¦`)).toBeNull();
    expect(labels(`${FN} 12¦`)).toBeNull();
    expect(labels(`${FN} nothing::¦`)).toBeNull();
  });
  it('is what CodeMirror asks for', () => {
    const state = EditorState.create({ doc: `${FN} net::bu`, extensions: [rhai] });
    const found = source({ knowledge: () => known })(new CompletionContext(state, state.doc.length, false));
    expect(found?.from).toBe(state.doc.length - 2);
    expect(found?.options.map((one) => one.label)).toEqual(['build']);
  });
});

describe('what is known of a name', () => {
  it('is looked up in the script, the modules and the host', () => {
    expect(lookUp('greet', outline, known)[0]!.doc).toBe('Greets somebody.');
    expect(lookUp('lab::attach', outline, known)[0]).toMatchObject({ doc: 'Puts it on.', module: 'lib/lab', signature: 'lab::attach(lab, at)' });
    expect(lookUp('lab::hidden', outline, known)).toEqual([]);
    expect(lookUp('log', outline, known)[0]!.doc).toBe('Says it.');
    expect(card(lookUp('net::build', outline, known)[0]!).textContent).toMatch(/net::build\(lab, plan, options\?\) → map.*Builds all.*Needs net\.write.*Undone by net::unbuild/);
    expect(card(lookUp('net::build', outline, known)[0]!, 1, true).textContent).toContain('plan: map. All of it.');
  });
  it('leads to where it is made', () => {
    const state = EditorState.create({ doc: SCRIPT, extensions: [rhai] });
    expect(definitionAt(state, at('lab::att'))).toEqual({ module: 'lib/lab', name: 'attach' });
    expect(definitionAt(state, at('import "li'))).toEqual({ module: 'lib/lab' });
    expect(definitionAt(state, at('    gre'))).toEqual({ from: SCRIPT.indexOf('greet') });
    expect(definitionAt(state, at('input.lab, ma'))).toEqual({ from: SCRIPT.indexOf('made') });
    expect(definitionAt(state, at('global::LIM'))).toEqual({ from: SCRIPT.indexOf('LIMIT') });
    expect(definitionAt(state, at('net::bui'))).toBeNull();
  });
});

describe('the text', () => {
  it('is indented by its brackets, and not by those in strings', () => {
    const state = EditorState.create({ doc: 'fn a() {\n    let m = #{\n"{ [": 1,\n};\n}\n', extensions: [rhai] });
    const indent = (line: number) => getIndentation(new IndentContext(state), state.doc.line(line).from);
    expect([indent(3), indent(4), indent(5), indent(6)]).toEqual([6, 4, 0, 0]);
  });
  it('is folded where a line opens what it doesn’t close', () => {
    const state = EditorState.create({ doc: SCRIPT, extensions: [rhai, folding] });
    const line = state.doc.lineAt(SCRIPT.indexOf('fn greet'));
    expect(state.facet(foldService)[0]!(state, line.from, line.to)).toEqual({ from: line.to, to: SCRIPT.indexOf('}\n\nprivate') });
    const flat = state.doc.lineAt(SCRIPT.indexOf('lab::attach'));
    expect(state.facet(foldService)[0]!(state, flat.from, flat.to)).toBeNull();
  });
});

describe('scenarios', () => {
  const source = 'fn test_a() {\n    let plan = scenario("t/a");\n    plan.\n    plan.fail("exec::run", \n}\n';
  const outline = outlineOf(source);
  it('have functions of their own, with their parameters', () => {
    const after = offersAt(source, source.indexOf('plan.\n') + 5, outline, scenarioKnowledge)!;
    const labels = after.offers.slice(0, members.length).map((one) => one.label);
    expect(labels).toEqual(members.map((one) => one.name));
    const call = callAt(outline, source.indexOf('"exec::run", ') + 13)!;
    expect(call).toMatchObject({ path: '.fail', argument: 1 });
    expect(lookUp(call.path, outline, scenarioKnowledge)[0]!.params[1]!.name).toBe('reason');
    expect(lookUp('scenario', outline, scenarioKnowledge)[0]!.params.map((one) => one.optional)).toEqual([false, true]);
  });
  it('are told of all that there is', () => {
    // The names in the source are the truth.
    const read = (file: string): string => readFileSync(`../core/script/src/scenario/${file}.rs`, 'utf8');
    const registered = [...(read('kit') + read('assertions')).matchAll(/register_fn\(\s*"(\w+)"|\("(\w+)", (?:true|false)\)/g)].map((one) => one[1] ?? one[2]!);
    expect(registered.length).toBeGreaterThan(10);
    const known = [...functions, ...members].map((one) => one.name);
    expect(registered.filter((name) => !known.includes(name))).toEqual([]);
    const report = /pub struct ScenarioReport \{([\s\S]*?)\n\}/.exec(read('mod'))![1]!;
    const told = [...report.matchAll(/pub (\w+):/g)].map((one) => one[1]!);
    expect(told.filter((name) => !known.includes(name))).toEqual([]);
  });
});
