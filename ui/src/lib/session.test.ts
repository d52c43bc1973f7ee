// What somebody may do, and where.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { api } from './api';
import { inFolder, session } from './session.svelte';

const json = (body: unknown) => new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
const who = {
  name: 'ann', user: 'ann', by: 'session', csrf: 'w', totp: false, request_ms: 30_000,
  permissions: ['read', 'launch'],
  bindings: [{ role: 'operator', organisation: 'acme', folder: 'lab' }, { role: 'viewer', organisation: '*', folder: '*' }],
};
beforeEach(async () => {
  localStorage.clear();
  vi.stubGlobal('fetch', vi.fn(async (url: string) => {
    if (url.endsWith('/session')) return json(who);
    if (url.endsWith('/roles')) return json([{ name: 'viewer', permissions: ['read'] }, { name: 'operator', permissions: ['read', 'launch'] }]);
    return json({ items: [{ name: 'acme', title: 'Acme', suspended: false, created_at_ms: 1, version: 1 }] });
  }));
  await session.load();
});
afterEach(() => vi.unstubAllGlobals());

it('a right holds somewhere, and only there', () => {
  expect(session.state).toBe('in');
  expect([session.can('launch'), session.can('manage')]).toEqual([true, false]);
  expect(session.can('launch', { organisation: 'acme', workflow: 'lab/grid' })).toBe(true);
  expect(session.can('launch', { organisation: 'acme', workflow: 'prod/grid' })).toBe(false);
  expect(session.can('launch', { organisation: 'other', workflow: 'lab/grid' })).toBe(false);
  expect(session.can('read', { organisation: 'other', workflow: 'prod/grid' })).toBe(true);
});

it('a role holds with those above it, where it was given', () => {
  const there = { organisation: 'acme', workflow: 'lab/grid' };
  expect(['viewer', 'operator', 'franchisee', 'admin', 'dba'].map((role) => session.holds(role, there))).toEqual([true, true, false, false, false]);
  expect(session.holds('operator', { organisation: 'acme', workflow: 'prod/grid' })).toBe(false);
});

it('a folder has what is below it, and no namesakes', () => {
  expect([inFolder('*', 'a/b'), inFolder('lab', 'lab/x'), inFolder('lab', 'labor/x'), inFolder('lab/x', 'lab/x')]).toEqual([true, true, false, true]);
});

it('an organisation that isn’t there any more isn’t chosen', () => {
  session.organisation = 'acme';
  expect(session.organisation).toBe('acme');
  session.organisation = 'gone';
  expect(session.organisation).toBeNull();
});

it('a change isn’t sent again in the name of somebody else', async () => {
  const calls: string[] = [];
  vi.stubGlobal('fetch', vi.fn(async (url: string, init?: RequestInit) => {
    if (url.endsWith('/session')) return json({ ...who, name: 'bob', user: 'bob' });
    if (url.endsWith('/roles')) return json([]);
    if (init?.method !== 'POST') return json({ items: [] });
    calls.push(url);
    const body = JSON.stringify({ code: 'permission_denied', detail: 'X-CSRF-Token is missing' });
    return new Response(body, { status: 403, headers: { 'content-type': 'application/json' } });
  }));
  await expect(api.post('/runs/{id}/retry', { path: { id: 'r' } } as never)).rejects.toThrow('Nothing was sent');
  expect([calls.length, session.who?.user]).toEqual([1, 'bob']);
});

it('who can’t be logged out is still logged in', async () => {
  vi.stubGlobal('fetch', vi.fn(async () => { throw new TypeError('failed'); }));
  await expect(session.logOut()).rejects.toMatchObject({ code: 'unreachable' });
  expect(session.state).toBe('in');
});

it('logging out forgets who one was', async () => {
  await session.logOut();
  expect([session.state, session.who, session.can('read')]).toEqual(['out', null, false]);
});

it('all organisations are known, also of a very large installation', async () => {
  vi.stubGlobal('fetch', vi.fn(async (url: string) => {
    if (url.endsWith('/session')) return json(who);
    if (url.endsWith('/roles')) return json([]);
    const at = Number(new URL(url, 'http://x').searchParams.get('cursor') ?? 0);
    return json({ items: [{ name: `o${at}`, title: '', suspended: false, created_at_ms: 1, version: 1 }], next: at < 2 ? String(at + 1) : null });
  }));
  await session.load();
  expect(session.organisations.map((one) => one.name)).toEqual(['o0', 'o1', 'o2']);
  // One that was changed, and one that was made, hide none of the others.
  session.learn({ ...session.organisations[1]!, title: 'One' });
  session.learn({ ...session.organisations[1]!, name: 'o3' });
  expect(session.organisations.map((one) => `${one.name} ${one.title}`)).toEqual(['o0 ', 'o1 One', 'o2 ', 'o3 One']);
});
