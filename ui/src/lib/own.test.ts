// What a browser keeps for one person is no other’s.
import { beforeEach, expect, it } from 'vitest';
import { own } from './own';
import { session } from './session.svelte';

beforeEach(() => localStorage.clear());
const as = (user: string | null) => (session.who = user ? ({ user } as typeof session.who) : null);

it('is read by whom it was kept for, and by nobody else', () => {
  as('ada');
  own<string[]>('views').write(['mine']);
  as('bob');
  expect(own('views').read()).toBeNull();
  own<string[]>('views').write(['his']);
  as('ada');
  expect(own('views').read()).toEqual(['mine']);
  as(null);
  expect(own('views').read()).toBeNull();
});
