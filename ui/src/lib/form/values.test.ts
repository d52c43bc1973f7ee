// What a form begins with, what typing makes of it, what is sent, and what goes into links.
import { describe, expect, it } from 'vitest';
import { ApiProblem } from '$lib/api/problem';
import { fromLocal, toLocal } from './formats';
import { Faults, sentence } from './form.svelte';
import { fromQuery, rows, toCommand, toQuery } from './links';
import { read, same, write } from './pointer';
import { problemsOf } from './problems';
import type { Schema } from './schema';
import { changed, changes, coerce, fresh, payload, toNumber, withoutSecrets } from './values';
import { inWords } from './words';
import { slug, stepOf, stepsOf } from './wizard';

describe('beginning', () => {
  it.each<[string, Schema, unknown, unknown]>([
    ['defaults, at every depth', { type: 'object', properties: { a: { default: 1 }, n: { type: 'object', default: {}, properties: { m: { default: 2 } } } } }, undefined, { a: 1, n: { m: 2 } }],
    ['what is required is there', { type: 'object', required: ['n', 'l', 'b', 's'], properties: { n: { type: 'object' }, l: { type: 'array' }, b: { type: 'boolean' }, s: { type: 'string' } } }, undefined, { n: {}, l: [], b: false }],
    ['what may be left out isn’t', { type: 'object', properties: { n: { type: 'object' }, l: { type: 'array' }, b: { type: 'boolean' } } }, undefined, {}],
    ['required constants', { type: 'object', required: ['v'], properties: { v: { const: 2 }, w: { const: 3 } } }, undefined, { v: 2 }],
    ['the entries that a list must have', { type: 'array', minItems: 2, items: { type: 'object', properties: { a: { default: 1 } } } }, undefined, [{ a: 1 }, { a: 1 }]],
    ['what is given stays', { type: 'object', properties: { a: { default: 1 }, b: { default: 2 } } }, { a: 5, z: 1 }, { a: 5, b: 2, z: 1 }],
    ['a condition brings its defaults', { type: 'object', properties: { k: { default: 'x' } }, if: { properties: { k: { const: 'x' } } }, then: { properties: { y: { default: 7 } } } }, undefined, { k: 'x', y: 7 }],
    ['the first choice, where one is required', { type: 'object', required: ['c'], properties: { c: { oneOf: [{ type: 'object', required: ['k'], properties: { k: { const: 'a' }, d: { default: 1 } } }, { type: 'object' }] } } }, undefined, { c: { k: 'a', d: 1 } }],
    ['a secret has no default', { type: 'object', properties: { s: { 'x-secret': true, default: 'oops' } } }, undefined, {}],
  ])('%s', (_, schema, given, value) => expect(fresh(schema, schema, given)).toEqual(value));

  it('doesn’t hand out the schema’s own default', () => {
    const schema: Schema = { type: 'object', properties: { l: { type: 'array', default: [1] } } };
    ((fresh(schema, schema) as { l: number[] }).l).push(2);
    expect(schema.properties!.l).toEqual({ type: 'array', default: [1] });
  });
});

describe('changing', () => {
  const schema: Schema = {
    type: 'object', properties: { port: { default: 22 }, kind: {} },
    if: { required: ['kind'] }, then: { properties: { more: { default: 1 } }, if: { properties: { more: { const: 1 } } }, then: { properties: { most: { default: 2 } } } },
  };
  it.each([
    ['what somebody has emptied stays empty', { port: 22, kind: 'a' }, { kind: 'b' }, { kind: 'b' }],
    ['what a condition brings begins with its default', { port: 22 }, { port: 22, kind: 'a' }, { port: 22, kind: 'a', more: 1, most: 2 }],
    ['what was there stays', { more: 5 }, { kind: 'a', more: 5 }, { kind: 'a', more: 5 }],
  ])('%s', (_, before, after, value) => expect(changed(schema, schema, before, after)).toEqual(value));
});

describe('sending', () => {
  const schema: Schema = {
    type: 'object', properties: { kind: { enum: ['a', 'b'] }, more: { type: 'object', additionalProperties: { type: 'string' } }, strict: { type: 'object', additionalProperties: false, properties: { x: {} } }, forbidden: { type: 'integer' } },
    if: { properties: { kind: { const: 'a' } } }, then: { properties: { x: {} } }, else: { properties: { y: {}, forbidden: false } },
  };
  it.each([
    ['fields that don’t apply stay in the form', { kind: 'a', x: 1, y: 2 }, { kind: 'a', x: 1 }],
    ['and come back', { kind: 'b', x: 1, y: 2 }, { kind: 'b', y: 2 }],
    ['names that nobody declares are sent', { kind: 'a', zzz: 1 }, { kind: 'a', zzz: 1 }],
    ['a group that takes no others loses what it doesn’t know', { kind: 'a', strict: { x: 1, old: 2 } }, { kind: 'a', strict: { x: 1 } }],
    ['nothing is nothing', { kind: 'a', x: undefined }, { kind: 'a' }],
    ['what a condition forbids stays in the form', { kind: 'b', forbidden: 1 }, { kind: 'b' }],
    ['and is sent where it may be', { kind: 'a', forbidden: 1 }, { kind: 'a', forbidden: 1 }],
    ['names of one’s own', { kind: 'a', more: { __proto__: 'x', b: 'y' } }, { kind: 'a', more: { b: 'y' } }],
  ])('%s', (_, value, sent) => expect(payload(schema, value)).toEqual(sent));

  it('drops the other choice’s fields, and keeps places in lists', () => {
    const choice: Schema = { type: 'object', oneOf: [{ properties: { k: { const: 'a' }, x: {} } }, { properties: { k: { const: 'b' }, y: {} } }] };
    expect(payload(choice, { k: 'b', x: 1, y: 2 })).toEqual({ k: 'b', y: 2 });
    expect(payload({ type: 'array', items: { type: 'string' } }, ['a', undefined, 'c'])).toEqual(['a', null, 'c']);
  });
});

describe('typing', () => {
  it.each<[string, boolean, unknown]>([
    ['12', true, 12], [' 7 ', true, 7], ['-3', true, -3], ['1.5', true, '1.5'], ['1.5', false, 1.5], ['.5', false, 0.5], ['1e3', false, 1000],
    ['', true, undefined], ['12a', true, '12a'], ['0x10', true, '0x10'], ['9007199254740993', true, '9007199254740993'], ['1e999', false, '1e999'], ['1,5', false, '1,5'],
  ])('%j (whole: %s) is %j', (text, integer, value) => expect(toNumber(text, integer)).toBe(value));

  it.each<[Schema, string, unknown]>([
    [{ type: 'string' }, '12', '12'], [{ type: 'integer' }, '12', 12], [{ type: 'integer' }, 'x', 'x'], [{ type: 'boolean' }, 'true', true],
    [{ enum: [1, '1', null] }, '1', 1], [{ oneOf: [{ const: 2, title: 'Two' }] }, '2', 2], [{ type: ['string', 'null'] }, 'null', null],
    [{ type: 'array', items: { type: 'integer' } }, '1, 2', [1, 2]], [{ type: 'array', items: { type: 'string' } }, '["a,b"]', ['a,b']], [{ type: 'array' }, '', []],
    [{ type: 'object' }, '{"a":1}', { a: 1 }], [{}, 'plain', 'plain'], [{}, '3', 3],
  ])('%j reads %j as %j', (schema, text, value) => expect(coerce(schema, text, schema)).toEqual(value));

  it('takes local moments to UTC and back', () => {
    expect(fromLocal('')).toBeUndefined();
    expect(toLocal('never')).toBe('');
    expect(fromLocal(toLocal('2026-11-21T13:45:00Z'))).toBe('2026-11-21T13:45:00Z');
  });
});

describe('secrets', () => {
  const schema: Schema = {
    type: 'object', $defs: { key: { type: 'string', writeOnly: true } },
    properties: {
      plain: { type: 'string' }, key: { 'x-secret': true }, word: { type: 'string', format: 'password' }, login: { type: 'object', properties: { user: {}, pass: { $ref: '#/$defs/key' } } },
      keys: { type: 'array', items: { anyOf: [{ $ref: '#/$defs/key' }, { type: 'null' }] } }, more: { type: 'object', additionalProperties: { 'x-secret': true } },
      either: { oneOf: [{ type: 'object', properties: { k: { const: 'a' }, s: { 'x-secret': true } } }, { type: 'object', properties: { k: { const: 'b' } } }] },
    },
    if: { properties: { plain: { const: 'x' } } }, then: { properties: { late: { 'x-secret': true } } },
  };
  const value = { plain: 'x', key: 'k1', word: 'k2', login: { user: 'u', pass: 'k3' }, keys: ['k4'], more: { a: 'k5' }, either: { k: 'a', s: 'k6' }, late: 'k7' };
  it('are taken out wherever they stand', () => {
    expect(withoutSecrets(schema, value)).toEqual({ plain: 'x', login: { user: 'u' }, keys: [], more: {}, either: { k: 'a' } });
  });
  it('are never in a link, and a link fills none in', () => {
    expect(toQuery(schema, value).toString()).not.toMatch(/k\d/);
    expect(fromQuery(schema, new URLSearchParams('input.key=a&input.login.pass=b&input.login.user=u&input.plain=x&input.late=c'))).toEqual({ login: { user: 'u' }, plain: 'x' });
    expect(fromQuery(schema, new URLSearchParams({ input: '{"key":"a","plain":"p"}' }))).toEqual({ plain: 'p' });
  });
});

describe('links', () => {
  const schema: Schema = {
    type: 'object', required: ['host'],
    properties: {
      host: { type: 'string' }, port: { type: 'integer', default: 22 }, on: { type: 'boolean', default: true }, node: { type: 'object', properties: { mtu: { type: 'integer' } } },
      tags: { type: 'array', items: { type: 'string' } }, list: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } }, any: {}, labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
    if: { properties: { port: { const: 23 } } }, then: { properties: { late: { type: 'integer' } } },
  };
  it.each([
    [{ host: 'web', port: 22, on: true }, 'input.host=web'],
    [{ host: '12', port: 8022, on: false, node: { mtu: 1500 } }, 'input.host=12&input.port=8022&input.on=false&input.node.mtu=1500'],
    [{ host: 'a', port: 22, on: true, tags: ['x', 'y'] }, 'input.host=a&input.tags=x%2Cy'],
    [{ host: 'a', port: 22, on: true, tags: ['x,y'] }, 'input.host=a&input.tags=%5B%22x%2Cy%22%5D'],
    [{ host: 'a', port: 22, on: true, list: [{ a: 1 }] }, 'input.host=a&input.list=%5B%7B%22a%22%3A1%7D%5D'],
    [{ host: 'a', port: 22, on: true, any: '3' }, 'input.host=a&input.any=%223%22'],
    [{ host: 'a', port: 23, on: true, late: 4 }, 'input.host=a&input.port=23&input.late=4'],
  ])('%j is %s, and back', (value, query) => {
    expect(toQuery(schema, value).toString()).toBe(query);
    expect(fresh(schema, schema, fromQuery(schema, new URLSearchParams(query)))).toEqual(value);
  });
  it('take JSON where names have dots', () => {
    const value = { host: 'a', port: 22, on: true, labels: { 'a.b': 'x' } };
    expect(toQuery(schema, value).has('input')).toBe(true);
    expect(fresh(schema, schema, fromQuery(schema, toQuery(schema, value)))).toEqual(value);
  });
  it('that are broken fill nothing in', () => {
    expect(fromQuery(schema, new URLSearchParams('input=%7B%22a'))).toBeNull();
    expect(fromQuery(schema, new URLSearchParams('step=x'))).toBeNull();
    fromQuery(schema, new URLSearchParams('input.__proto__.x=1&input.constructor.prototype.x=1'));
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
  it('are commands, too', () => {
    expect(toCommand('lab/tour', schema, { host: "it's", port: 23, on: true }, { tags: ['a b'] })).toBe(`windlass run lab/tour --tag 'a b' --set 'host=it'\\''s' --set port=23`);
    expect(toCommand('lab/tour', schema, { port: 22, on: true })).toBe('windlass run lab/tour');
    expect(toCommand('lab/tour', schema, { host: 'a', node: { mtu: 1 } })).toContain("--input - <<'JSON'\n{\n  \"host\": \"a\"");
  });
  it('say only what differs', () => expect(changes(schema, { host: 'a', port: 22, on: true })).toEqual({ host: 'a' }));
  it('are rows for a review', () => {
    expect(rows({ ...schema, required: ['port', 'host'] }, { host: 'a', port: 1, z: 2 }).map((row) => row.label)).toEqual(['Port', 'Host', 'Z']);
  });
  it('are told in words', () => {
    const place: Schema = { type: 'object', title: 'Address', oneOf: [{ title: 'By DHCP', properties: { kind: { const: 'dhcp' } } }, { title: 'Fixed', properties: { kind: { const: 'fixed' }, ip: { type: 'string', title: 'IP address' } }, required: ['ip'] }] };
    const told: Schema = { type: 'object', properties: { env: { oneOf: [{ const: 'p', title: 'Production' }, { const: 't', title: 'Test' }] }, at: place, nodes: { type: 'array', items: { type: 'object', properties: { node_name: { type: 'string' }, on: { type: 'boolean' }, at: place } } } } };
    const value = { env: 'p', at: { kind: 'fixed', ip: '10.0.0.1' }, nodes: [{ node_name: 'a', on: true, at: { kind: 'dhcp' } }, { node_name: 'b', more: 1 }], list: [] };
    const lines = rows(told, value).map((row) => inWords(row.schema, row.value, told));
    expect(lines).toEqual(['Production', 'Fixed\nIP address: 10.0.0.1', '1. Node name: a · On: yes · Address: By DHCP\n2. Node name: b · more: 1', 'none']);
  });
});

describe('pointers', () => {
  it('read and write', () => {
    const value = { a: [{ 'x/y': 1 }] };
    expect(read(value, '/a/0/x~1y')).toBe(1);
    expect(read(value, '/a/x')).toBeUndefined();
    expect(write(value, '/a/0/x~1y', 2)).toEqual({ a: [{ 'x/y': 2 }] });
    expect(write(value, '/a/-', 3)).toEqual({ a: [{ 'x/y': 1 }, 3] });
    expect(write(value, '/a/0', undefined)).toEqual({ a: [] });
    expect(write({}, '/b/c', 1)).toEqual({ b: { c: 1 } });
    expect(value).toEqual({ a: [{ 'x/y': 1 }] });
  });
  it('compare as JSON', () => {
    expect(same({ a: 1, b: undefined }, { a: 1 })).toBe(true);
    expect(same([1, { a: [] }], [1, { a: [] }])).toBe(true);
    expect(same({ a: 1 }, { a: 1, b: null })).toBe(false);
    expect(same([], {})).toBe(false);
  });
});

describe('the server’s faults', () => {
  const refusal = (pointer: string | undefined, data: unknown) => new ApiProblem('invalid_input', 400, 'no', undefined, pointer, data);
  it('go to their fields', () => {
    expect(problemsOf(refusal('/input/a', { faults: [{ pointer: '/input/a', message: 'x' }, { pointer: '/tags/0', message: 'y' }, { pointer: '/input', message: 'z' }] }))).toEqual([{ pointer: '/a', message: 'x' }, { pointer: '', message: 'z' }]);
    expect(problemsOf(refusal('/input/a', undefined))).toEqual([{ pointer: '/a', message: 'no' }]);
    expect(problemsOf(refusal('/inputs/a', undefined))).toEqual([]);
    expect(problemsOf(new ApiProblem('conflict', 409, 'no', undefined, '/input/a'))).toEqual([]);
  });
  it('give way to what the page says of the same place or further inside', () => {
    const table = Faults.table([{ pointer: '/a/b', message: 'page' }, { pointer: '/c', message: 'soft', soft: true }], [{ pointer: '/a', message: 'whole' }, { pointer: '/a/b', message: 'server' }, { pointer: '/c', message: 'wrong' }, { pointer: '/d', message: '"d" is a required property' }]);
    expect([...table].map(([pointer, fault]) => [pointer, fault.message])).toEqual([['/a/b', 'page'], ['/c', 'Wrong.'], ['/d', 'This is needed.']]);
  });
  it('are sentences', () => expect(sentence('nothing fits')).toBe('Nothing fits.'));
});

describe('steps', () => {
  const workflow = {
    inputs: { type: 'object', required: ['b'], properties: { a: { 'x-step': 'One' }, b: { 'x-step': 'Two' }, c: {} }, if: { required: ['a'] }, then: { properties: { d: { 'x-step': 'Two' } } } },
    wizard: [{ title: 'One', description: 'First.' }, 'Two', { title: 'Empty' }],
  };
  it('have the fields that name them; the first has the rest', () => {
    expect(stepsOf(workflow, {})).toEqual([{ title: 'One', description: 'First.', fields: ['a', 'c'] }, { title: 'Two', description: undefined, fields: ['b'] }]);
    expect(stepsOf(workflow, { a: 1 })[1]!.fields).toEqual(['b', 'd']);
    expect(stepOf(stepsOf(workflow, {}), '/b/0')).toBe(1);
    expect(stepOf(stepsOf(workflow, {}), '')).toBe(0);
  });
  it('are none where one would be alone', () => {
    expect(stepsOf({ inputs: workflow.inputs, wizard: [{ title: 'One' }] }, {})).toEqual([]);
    expect(stepsOf({ inputs: { properties: { a: {} } }, wizard: ['One', 'Two'] }, {})).toEqual([]);
    expect(stepsOf({}, {})).toEqual([]);
  });
  it.each([['Your site & more', 'your-site-more'], ['Größe', 'größe'], ['!', 'step']])('%s is %s in the address', (title, expected) => expect(slug(title)).toBe(expected));
});
