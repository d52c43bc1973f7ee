// Keys: one, two in a row, modifiers, and that fields are left alone.
import { afterEach, expect, it, vi } from 'vitest';
import { shortcuts } from './shortcuts.svelte';

const removals: (() => void)[] = [];
afterEach(() => {
  removals.splice(0).forEach((remove) => remove());
  document.body.replaceChildren();
});
function on(keys: string, more: { inFields?: boolean } = {}) {
  const action = vi.fn();
  removals.push(shortcuts.add([{ keys, label: keys, action, ...more }]));
  return action;
}
function press(key: string, more: KeyboardEventInit = {}, target: EventTarget = document.body) {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more });
  target.addEventListener('keydown', (one) => shortcuts.pressed(one as KeyboardEvent), { once: true });
  target.dispatchEvent(event);
  return event;
}

it('one key, two in a row, and with a modifier', () => {
  const help = on('?');
  const runs = on('g r');
  const palette = on('Mod+k', { inFields: true });
  press('?', { shiftKey: true });
  expect(help).toHaveBeenCalledOnce();
  press('g');
  press('r');
  expect(runs).toHaveBeenCalledOnce();
  press('r');
  expect(runs).toHaveBeenCalledOnce();
  expect(press('k', { ctrlKey: true }).defaultPrevented).toBe(true);
  press('k', { metaKey: true });
  expect(palette).toHaveBeenCalledTimes(2);
});

it('a field keeps what is typed into it', () => {
  const help = on('?');
  const palette = on('Mod+k', { inFields: true });
  const input = document.createElement('input');
  document.body.append(input);
  expect(press('?', {}, input).defaultPrevented).toBe(false);
  press('k', { ctrlKey: true }, input);
  expect(help).not.toHaveBeenCalled();
  expect(palette).toHaveBeenCalledOnce();
});

it('a page takes a key over while it is there', () => {
  const everywhere = on('f');
  const here = vi.fn();
  const remove = shortcuts.add([{ keys: 'f', label: 'here', action: here }]);
  press('f');
  remove();
  press('f');
  expect([here.mock.calls.length, everywhere.mock.calls.length]).toEqual([1, 1]);
});

it('a field in a shadow root does so, too', () => {
  const help = on('?');
  const host = document.createElement('div');
  document.body.append(host);
  const input = document.createElement('input');
  host.attachShadow({ mode: 'open' }).append(input);
  const heard = vi.fn((event: Event) => shortcuts.pressed(event as KeyboardEvent));
  document.body.addEventListener('keydown', heard, { once: true });
  input.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true, composed: true, cancelable: true }));
  expect(heard).toHaveBeenCalledOnce();
  expect(help).not.toHaveBeenCalled();
});
