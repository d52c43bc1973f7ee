// What a run has left to people: read carefully, as a script writes it, and shown to those who may.
import { render, screen } from '@testing-library/svelte';
import { expect, it, vi } from 'vitest';
import { session } from '$lib/session.svelte';
import ToDo from './ToDo.svelte';
import { toDoOf } from './toDo';

const letter = { title: 'No letter went out to ann@acme.example', says: 'no mail server is configured: `host` under [hosts.notify.email]', page: '/organisations/acme?part=members', organisation: 'acme' };

it('takes what has a title, and pages of this server only', () => {
  expect(toDoOf({ to_do: [letter, { says: 'nobody knows what' }, 'text', null] })).toEqual([letter]);
  for (const page of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)', 7]) expect(toDoOf({ to_do: [{ title: 'Look', page }] })[0]!.page, String(page)).toBe('');
  for (const output of [null, 'text', {}, { to_do: 'text' }]) expect(toDoOf(output)).toEqual([]);
});

it('leads those there who manage the organisation, and tells the others who can', () => {
  const can = vi.spyOn(session, 'can').mockImplementation((what, where) => what === 'manage' && where?.organisation === 'acme');
  const view = render(ToDo, { output: { to_do: [letter] } });
  expect(screen.getByRole('link', { name: 'Go there' }).getAttribute('href')).toBe('/organisations/acme?part=members');
  expect(screen.getByText('host').tagName).toBe('CODE');
  view.unmount();
  can.mockReturnValue(false);
  render(ToDo, { output: { to_do: [letter] } });
  expect(screen.queryByRole('link')).toBeNull();
  expect(screen.getByText('Whoever manages acme can do it.')).toBeTruthy();
});
