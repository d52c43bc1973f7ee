// The shared components, as people use them: with the keyboard, and as ears hear them.
import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { ApiProblem } from '../api/problem';
import Host from '../testing/Host.svelte';
import Button from './Button.svelte';
import StateBadge from './StateBadge.svelte';
import Time from './Time.svelte';
import { toasts } from './toasts.svelte';

describe('a menu', () => {
  it('is worked with the keyboard, and gives the focus back', async () => {
    const first = vi.fn();
    const third = vi.fn();
    const user = userEvent.setup();
    render(Host, { what: 'menu', items: [{ label: 'Retry', onselect: first }, { label: 'Never', disabled: true }, 'line', { label: 'Cancel', onselect: third }] });
    const button = screen.getByRole('button', { name: 'More' });
    button.focus();
    await user.keyboard('{ArrowDown}');
    await waitFor(() => expect(document.activeElement?.textContent).toContain('Retry'));
    await user.keyboard('{ArrowDown}');
    expect(document.activeElement?.textContent).toContain('Cancel');
    await user.keyboard('{ArrowDown}r{End}{Enter}');
    expect(third).toHaveBeenCalledOnce();
    expect(first).not.toHaveBeenCalled();
    expect(document.activeElement).toBe(button);
    await user.keyboard('{Enter}{Escape}');
    expect(screen.queryByRole('menu')).toBeNull();
    expect(document.activeElement).toBe(button);
  });
});

describe('a table', () => {
  it('chooses rows and all of them, and opens one that is pressed', async () => {
    const user = userEvent.setup();
    const onopen = vi.fn();
    render(Host, { what: 'table', onopen });
    await user.click(screen.getByRole('checkbox', { name: 'Choose Bert' }));
    expect(screen.getByText('chosen: b')).toBeTruthy();
    expect(onopen).not.toHaveBeenCalled();
    const all = screen.getByRole<HTMLInputElement>('checkbox', { name: 'Choose all in sight' });
    expect(all.indeterminate).toBe(true);
    await user.click(all);
    expect(screen.getByText('chosen: a,b')).toBeTruthy();
    await user.click(screen.getByText('Anna'));
    expect(onopen).toHaveBeenCalledExactlyOnceWith({ id: 'a', name: 'Anna' });
  });
});

describe('a question before something that can’t be taken back', () => {
  it('wants its word, says what went wrong, and closes when it went well', async () => {
    const user = userEvent.setup();
    const action = vi.fn().mockRejectedValueOnce(new ApiProblem('conflict', 409, 'It is in use.', 'Stop it first.'));
    render(Host, { what: 'confirm', action });
    const remove = screen.getByRole<HTMLButtonElement>('button', { name: 'Remove it' });
    expect(remove.disabled).toBe(true);
    await user.type(screen.getByLabelText('Type “acme” to go on'), 'acme');
    await user.click(remove);
    expect((await screen.findByRole('alert')).textContent).toContain('It is in use.');
    expect(screen.getByText('open')).toBeTruthy();
    await user.click(remove);
    await screen.findByText('closed');
    expect(action).toHaveBeenCalledTimes(2);
  });
});

it('a field ties its label, hint and error to its control', () => {
  render(Host, { what: 'field', error: 'Too short.' });
  const input = screen.getByLabelText<HTMLInputElement>('Name');
  const texts = input.getAttribute('aria-describedby')!.split(' ').map((id) => document.getElementById(id)!.textContent);
  expect(texts).toEqual(['As on the passport', 'Too short.']);
  expect([input.getAttribute('aria-invalid'), input.required]).toEqual(['true', true]);
});

it('tabs are moved through with arrows', async () => {
  const user = userEvent.setup();
  const onselect = vi.fn();
  render(Host, { what: 'tabs', onselect });
  screen.getByRole('tab', { name: 'One' }).focus();
  await user.keyboard('{ArrowRight}');
  expect(onselect).toHaveBeenLastCalledWith('two');
  expect(screen.getByRole('tab', { selected: true }).textContent).toContain('Two');
  await user.keyboard('{ArrowRight}');
  expect(onselect).toHaveBeenLastCalledWith('one');
});

it('a long list draws only what is in sight', () => {
  const { container } = render(Host, { what: 'list', count: 100_000 });
  const lines = container.querySelectorAll('.line').length;
  expect(lines).toBeGreaterThan(5);
  expect(lines).toBeLessThan(100);
  expect(container.querySelector<HTMLElement>('.all')!.style.height).toBe('2000000px');
});

it('a busy button takes no second press', async () => {
  const user = userEvent.setup();
  const onclick = vi.fn();
  const { rerender } = render(Button, { label: 'Launch', icon: 'play', onclick, busy: true });
  await user.click(screen.getByRole('button', { name: 'Launch' }));
  expect(onclick).not.toHaveBeenCalled();
  await rerender({ busy: false });
  await user.click(screen.getByRole('button', { name: 'Launch' }));
  expect(onclick).toHaveBeenCalledOnce();
});

it('a state has a word, whatever its colour, and one that isn’t known has its name', () => {
  render(StateBadge, { state: 'rollback_stuck' });
  expect(screen.getByText('Undo stuck')).toBeTruthy();
  render(StateBadge, { state: 'brand_new' });
  expect(screen.getByText('Brand new')).toBeTruthy();
});

it('a moment has all its forms in the tooltip', () => {
  const { container } = render(Time, { ms: Date.UTC(2026, 0, 2, 3, 4, 5), mode: 'utc' });
  const time = container.querySelector('time')!;
  expect(time.textContent).toBe('2 Jan 2026, 03:04:05 UTC');
  expect(time.dateTime).toBe('2026-01-02T03:04:05.000Z');
  expect(time.title).toMatch(/local[\s\S]*UTC[\s\S]*ago/);
});

it('what failed stays until it is closed, what went well doesn’t', () => {
  vi.useFakeTimers();
  toasts.good('Saved.');
  toasts.bad('Not saved.', new ApiProblem('conflict', 409, 'Somebody was faster.', 'Load it again.'));
  vi.advanceTimersByTime(60_000);
  expect(toasts.all.map((one) => [one.text, one.detail])).toEqual([['Not saved.', 'Somebody was faster. — Load it again.']]);
  toasts.close(toasts.all[0]!.id);
  vi.useRealTimers();
});
