// Inputs as JSON text, roles and what follows from them.
import { describe, expect, it } from 'vitest';
import { beyond, folderOf, includes, nameProblem, where, type Binding } from './bindings';
import { parseInput, placed, skeleton, tagsOf } from './input';

describe('an input as JSON', () => {
  it('is empty where nothing is typed, and says where it isn’t JSON', () => {
    expect(parseInput('  ')).toEqual({ ok: true, value: {} });
    expect(parseInput('{"a": [1]}')).toEqual({ ok: true, value: { a: [1] } });
    const wrong = parseInput('{\n  "a": oops\n}');
    expect(!wrong.ok && wrong.message).toMatch(/isn’t JSON/);
  });
  it('begins with what is required and what has a default', () => {
    const schema = { type: 'object', required: ['lab', 'nested'], properties: { lab: { type: 'string' }, size: { type: 'integer', default: 3 }, extra: { type: 'string' }, kind: { enum: ['a', 'b'] }, nested: { type: 'object', required: ['on'], properties: { on: { type: 'boolean' } } } } };
    expect(skeleton(schema)).toEqual({ lab: '', size: 3, nested: { on: false } });
    expect(skeleton(undefined)).toEqual({});
  });
  it('knows places to be filled in', () => expect(['{"a":"${/body/x}"}', '{"a":"$${/body/x}"}', '{}'].map(placed)).toEqual([true, false, false]));
  it('takes tags apart', () => expect(tagsOf(' a, b  b,c ')).toEqual(['a', 'b', 'c']));
});

describe('roles', () => {
  const of = (role: Binding['role'], organisation = 'acme', folder = '*'): Binding => ({ role, organisation, folder });
  it('include those below them, in the same place', () => {
    expect(includes(of('admin', '*'), of('operator'))).toBe(true);
    expect(includes(of('operator'), of('admin'))).toBe(false);
    expect(includes(of('operator', 'acme', 'lab'), of('viewer', 'acme', 'lab/grid'))).toBe(true);
    expect(includes(of('operator', 'acme', 'lab'), of('viewer', 'acme', 'labor'))).toBe(false);
    expect(includes(of('operator', 'acme', 'lab'), of('viewer', 'acme'))).toBe(false);
    expect(includes(of('operator'), of('viewer', 'other'))).toBe(false);
  });
  it('can’t be given by who doesn’t hold them', () => {
    expect(beyond([of('franchisee')], [of('viewer'), of('admin')])).toEqual(of('admin'));
    expect(beyond([of('admin', '*')], [of('admin', '*'), of('viewer', 'x')])).toBeUndefined();
  });
  it('are told in words', () => {
    expect(where(of('viewer', '*'))).toBe('all organisations');
    expect(where(of('viewer', 'acme', 'lab'))).toBe('acme, workflows in lab');
    expect(['lab/', '/lab/*', ' ', '*'].map(folderOf)).toEqual(['lab', 'lab', '*', '*']);
    expect([nameProblem(''), nameProblem('Ann Lee'), nameProblem('ann.lee-1')].map(Boolean)).toEqual([true, true, false]);
  });
});
