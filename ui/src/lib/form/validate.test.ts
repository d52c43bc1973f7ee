// What is said to be wrong, and where.
import { describe, expect, it } from 'vitest';
import { misformed } from './formats';
import type { Schema } from './schema';
import { best, faultsOf } from './validate';

const places = (schema: Schema, value: unknown) => faultsOf(schema, value, schema).map((fault) => fault.pointer);
const hard = (schema: Schema, value: unknown) => faultsOf(schema, value, schema).filter((fault) => !fault.soft).map((fault) => fault.message);

describe('single values', () => {
  it.each<[Schema, unknown, string[]]>([
    [{ type: 'string' }, 1, ['Has to be text.']],
    [{ type: 'integer' }, 1.5, ['Has to be a whole number.']],
    [{ type: 'integer' }, 'many', ['Has to be a whole number.']],
    [{ type: 'number' }, 3, []],
    [{ type: ['string', 'null'] }, null, []],
    [{ type: ['string', 'null'] }, 3, ['Has to be text.']],
    [{ minLength: 1 }, '', ['Can’t be empty.']],
    [{ minLength: 3 }, 'ab', ['Needs at least 3 characters; these are 2.']],
    [{ maxLength: 2 }, '👍👍', []],
    [{ maxLength: 2 }, 'abc', ['At most 2 characters; these are 3.']],
    [{ pattern: '^[a-z]+$' }, 'Ab', ['Has to match ^[a-z]+$']],
    [{ pattern: '^[a-z]+$', 'x-pattern-help': 'Small letters only.' }, 'Ab', ['Small letters only.']],
    [{ pattern: '(?<broken' }, 'x', []],
    [{ minimum: 1, maximum: 5 }, 9, ['Has to be from 1 to 5.']],
    [{ minimum: 1 }, 0, ['Has to be at least 1.']],
    [{ exclusiveMinimum: 0 }, 0, ['Has to be more than 0.']],
    [{ exclusiveMaximum: 5 }, 5, ['Has to be less than 5.']],
    [{ multipleOf: 0.1 }, 0.3, []],
    [{ multipleOf: 5 }, 7, ['Has to be a multiple of 5.']],
    [{ const: 'a' }, 'b', ['Has to be “a”.']],
    [{ enum: [1, { a: 2 }] }, { a: 2 }, []],
    [{ enum: ['a'] }, 'b', ['Has to be one of the choices.']],
    [{ not: { const: 'root' } }, 'root', ['This isn’t allowed here.']],
    [{ 'x-secret': true }, 'acme/dns.key', []],
    [{ 'x-secret': true }, 'two words', ['Takes the name of a stored secret: letters, digits and _ - . / only.']],
    [{ format: 'password' }, 12, ['Takes the name of a stored secret: letters, digits and _ - . / only.']],
    [{ type: 'string', 'x-secret': false }, 'two words', []],
  ])('%j takes %j: %j', (schema, value, messages) => expect(hard(schema, value)).toEqual(messages));
});

describe('formats warn', () => {
  it.each<[string, string[], string[]]>([
    ['email', ['a@b.example'], ['a@', 'a b@c.d', 'plain']],
    ['uri', ['https://example.net/x?y=1', 'mailto:a@b.c', 'urn:x:y'], ['example.net', 'https://', 'a b:c']],
    ['ipv4', ['0.0.0.0', '192.0.2.255'], ['1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5']],
    ['ipv6', ['::', '::1', '2001:db8::10', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1'], ['1:2', ':::', '1:2:3:4:5:6:7:8:9', '12345::', '::1::']],
    ['hostname', ['a', 'host-1.example.net'], ['-a', 'a_b', 'a..b', 'x'.repeat(64)]],
    ['date', ['2024-02-29', '2026-11-21'], ['2023-02-29', '2026-13-01', '21.11.2026', '2026-1-1']],
    ['time', ['13:45:00Z', '13:45:00.5+01:00'], ['13:45', '25:00:00Z']],
    ['date-time', ['2026-11-21T13:45:00Z', '2026-11-21t13:45:00+02:00'], ['2026-11-21', '2026-11-21 13:45:00Z', '2026-02-30T00:00:00Z']],
    ['duration', ['P1D', 'PT1H30M', 'P2W', 'P1Y2M3DT4H5M6.5S'], ['P', 'PT', '1h', 'P1H']],
    ['uuid', ['0f8fad5b-d9cb-469f-a165-70867728950e'], ['0f8fad5b']],
    ['regex', ['^a+$'], ['(']],
    ['json-pointer', ['', '/a~1b'], ['a', '/a~2']],
  ])('%s', (format, good, bad) => {
    for (const text of good) expect(misformed(format, text), text).toBeNull();
    for (const text of bad) expect(misformed(format, text), text).toMatch(/look like/);
  });
  it('and hold nothing back', () => expect(faultsOf({ format: 'email' }, 'x', {})).toMatchObject([{ soft: true }]));
  it('nobody knows are left', () => expect(misformed('colour', 'x')).toBeNull());
});

describe('places', () => {
  it.each<[string, Schema, unknown, string[]]>([
    ['what is missing', { required: ['a', 'b'] }, { a: 1 }, ['/b']],
    ['a default isn’t missing', { required: ['a'], properties: { a: { default: 1 } } }, {}, []],
    ['odd names', { properties: { 'a/b~c': { type: 'string' } } }, { 'a/b~c': 1 }, ['/a~1b~0c']],
    ['too many names', { additionalProperties: false, properties: { a: {} } }, { a: 1, b: 1 }, ['/b']],
    ['of one’s own', { additionalProperties: { type: 'string' } }, { x: 1 }, ['/x']],
    ['by pattern', { patternProperties: { '^n': { type: 'integer' } } }, { n1: 'x', other: 'x' }, ['/n1']],
    ['names themselves', { propertyNames: { maxLength: 2 } }, { abc: 1 }, ['/abc']],
    ['deep', { properties: { n: { items: { properties: { d: { items: { minimum: 1 } } } } } } }, { n: [{}, { d: [1, 0] }] }, ['/n/1/d/1']],
    ['tuples', { prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false }, ['a', 'b', 'c'], ['/1', '/2']],
    ['twice the same', { uniqueItems: true }, [1, 2, 1], ['/2']],
    ['empty entries', { items: { type: 'string' } }, ['a', null], ['/1']],
    ['too few', { minItems: 2 }, [1], ['']],
    ['lacking', { contains: { const: 1 } }, [2], ['']],
    ['number of names', { minProperties: 1 }, {}, ['']],
    ['what isn’t there isn’t wrong', { type: 'string' }, undefined, []],
  ])('%s', (_, schema, value, pointers) => expect(places(schema, value)).toEqual(pointers));
});

describe('choices', () => {
  const schema: Schema = {
    oneOf: [
      { properties: { kind: { const: 'tunnel' }, peer: { type: 'string' } }, required: ['kind', 'peer'] },
      { properties: { kind: { const: 'direct' }, gateway: { type: 'string' } }, required: ['kind', 'gateway'] },
    ],
  };
  it('are judged by the one that a constant names', () => {
    expect(best(schema.oneOf!, { kind: 'direct' }, schema)).toBe(1);
    expect(places(schema, { kind: 'direct' })).toEqual(['/gateway']);
    expect(places(schema, { kind: 'tunnel', peer: 'x' })).toEqual([]);
  });
  it('of types are judged by the type', () => {
    const types: Schema = { anyOf: [{ type: 'string', minLength: 3 }, { type: 'integer', minimum: 5 }] };
    expect(hard(types, 4)).toEqual(['Has to be at least 5.']);
    expect(hard(types, 'ab')).toEqual(['Needs at least 3 characters; these are 2.']);
    expect(hard(types, 7)).toEqual([]);
  });
  it('may not both fit where only one may', () => {
    expect(hard({ oneOf: [{ minimum: 1 }, { minimum: 2 }] }, 3)).toEqual(['Fits more than one of the choices; make it fit one.']);
    expect(hard({ anyOf: [{ minimum: 1 }, { minimum: 2 }] }, 3)).toEqual([]);
  });
});
