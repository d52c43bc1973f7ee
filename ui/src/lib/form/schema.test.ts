// What a schema means for the value at hand: references, conditions, dependencies, order.
import { describe, expect, it } from 'vitest';
import { effective, inOrder, merge, titleOf, typesOf, type Schema } from './schema';

const names = (schema: Schema, value: unknown) => Object.keys(effective(schema, value, schema).properties ?? {});

describe('conditions', () => {
  const schema: Schema = {
    type: 'object',
    properties: { kind: { enum: ['a', 'b'], default: 'a' } },
    if: { properties: { kind: { const: 'a' } } },
    then: { required: ['x'], properties: { x: { type: 'string' } } },
    else: { properties: { y: { type: 'number' } } },
  };
  it.each([
    ['the default decides where nothing stands', {}, ['kind', 'x']],
    ['then', { kind: 'a' }, ['kind', 'x']],
    ['else', { kind: 'b' }, ['kind', 'y']],
  ])('%s', (_, value, expected) => expect(names(schema, value)).toEqual(expected));

  it('stand in allOf and in one another', () => {
    const deep: Schema = {
      properties: { a: { type: 'boolean' } },
      allOf: [
        { if: { properties: { a: { const: true } }, required: ['a'] }, then: { properties: { b: { type: 'string' } }, if: { required: ['b'] }, then: { properties: { c: {} } } } },
        { properties: { d: {} } },
      ],
    };
    expect(names(deep, {})).toEqual(['a', 'd']);
    expect(names(deep, { a: true })).toEqual(['a', 'b', 'd']);
    expect(names(deep, { a: true, b: 'x' })).toEqual(['a', 'b', 'c', 'd']);
  });

  it('both of two conditions count', () => {
    const two: Schema = {
      allOf: [
        { if: { required: ['a'] }, then: { properties: { x: {} } } },
        { if: { required: ['b'] }, then: { properties: { y: {} } } },
      ],
    };
    expect(names(two, { a: 1, b: 1 })).toEqual(['x', 'y']);
    expect(names({ if: { required: ['a'] }, then: { properties: { x: {} } }, ...two }, { a: 1, b: 1 })).toEqual(['x', 'y']);
  });
});

describe('dependencies', () => {
  const schema: Schema = {
    properties: { card: {}, name: {} },
    dependentRequired: { card: ['address'] },
    dependentSchemas: { name: { properties: { title: {} }, required: ['title'] } },
  };
  it.each([
    [{}, undefined, ['card', 'name']],
    [{ card: 1 }, ['address'], ['card', 'name']],
    [{ name: 'x' }, ['title'], ['card', 'name', 'title']],
    [{ name: 'x', card: 1 }, ['title', 'address'], ['card', 'name', 'title']],
  ])('%j', (value, required, properties) => {
    const now = effective(schema, value, schema);
    expect(now.required).toEqual(required);
    expect(Object.keys(now.properties!)).toEqual(properties);
  });
});

describe('references', () => {
  const root: Schema = {
    $defs: { 'a/b': { type: 'string', minLength: 2 }, node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } }, self: { $ref: '#/$defs/self' } },
    properties: { list: { items: [{ type: 'integer' }] } as unknown as Schema },
  };
  it('are followed, with what stands beside them', () => {
    expect(effective({ $ref: '#/$defs/a~1b', title: 'Name' }, undefined, root)).toEqual({ type: 'string', minLength: 2, title: 'Name' });
  });
  it('may come back to themselves', () => {
    expect(typesOf(effective({ $ref: '#/$defs/node' }, undefined, root))).toEqual(['object']);
    expect(() => effective({ $ref: '#/$defs/self' }, undefined, root)).not.toThrow();
  });
  it('of elsewhere are left', () => expect(effective({ $ref: 'https://example.net/x', title: 'T' }, undefined, root)).toEqual({ title: 'T' }));
});

describe('merging', () => {
  it.each<[string, Schema, Schema, Schema]>([
    ['narrower bounds', { minimum: 1, maximum: 9 }, { minimum: 3, maximum: 20 }, { minimum: 3, maximum: 9 }],
    ['shared types', { type: ['string', 'null'] }, { type: 'string' }, { type: 'string' }],
    ['an integer is a number', { type: 'number' }, { type: 'integer' }, { type: 'integer' }],
    ['shared choices', { enum: [1, 2, 3] }, { enum: [3, 2] }, { enum: [2, 3] }],
    ['all that is required', { required: ['a'] }, { required: ['b', 'a'] }, { required: ['a', 'b'] }],
    ['a second choice stays beside the first', { oneOf: [{ const: 1 }] }, { oneOf: [{ const: 2 }] }, { oneOf: [{ const: 1 }], allOf: [{ oneOf: [{ const: 2 }] }] }],
  ])('%s', (_, a, b, both) => expect(merge(a, b)).toEqual(both));
  it('a property of both has to fit both', () => {
    expect(merge({ properties: { a: { type: 'string' } } }, { properties: { a: { minLength: 2 } } }).properties!.a).toEqual({ allOf: [{ type: 'string' }, { minLength: 2 }] });
  });
});

describe('types', () => {
  it.each<[Schema, string[]]>([
    [{ type: 'string' }, ['string']],
    [{ type: ['integer', 'null'] }, ['integer', 'null']],
    [{ const: 3 }, ['integer']],
    [{ enum: ['a', 1.5] }, ['string', 'number']],
    [{ properties: {} }, ['object']],
    [{ items: {} }, ['array']],
    [{ format: 'email' }, ['string']],
    [{ minimum: 1 }, ['number']],
    [{ 'x-secret': true }, ['string']],
    [{}, []],
  ])('%j', (schema, types) => expect(typesOf(schema)).toEqual(types));
});

it('orders fields: what the group or the field says, then what is required, then the rest', () => {
  expect(inOrder(['a', 'b', 'c', 'd'], { required: ['d', 'b'] })).toEqual(['d', 'b', 'a', 'c']);
  expect(inOrder(['a', 'b', 'c', 'd'], { required: ['d'], 'x-order': ['c', 'a'] })).toEqual(['c', 'a', 'd', 'b']);
  expect(inOrder(['a', 'b', 'c'], { required: ['a'], properties: { c: { 'x-order': 1 }, b: { 'x-order': 2 } } })).toEqual(['c', 'b', 'a']);
});

it.each([['dns_zone', 'Dns zone'], ['maxRetries', 'Max Retries'], ['x', 'X'], ['', '']])('calls %s “%s”', (name, title) => expect(titleOf({}, name)).toBe(title));
