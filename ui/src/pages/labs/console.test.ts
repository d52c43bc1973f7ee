// A console that loses its server, and the key that leaves one.
import { expect, it, vi } from 'vitest';
import { codeOfStatus, givenUp, leaves, OPENING_MS, Retries } from './console';

it('is tried again five times, ever later, and not for ever', () => {
  const retries = new Retries();
  retries.begin();
  retries.opened(0);
  const pauses = Array.from({ length: 6 }, (_, at) => retries.next(1006, 20_000 + at));
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, null]);
});

it('begins anew when it was open for a while, not when something lets it in and drops it', () => {
  const retries = new Retries();
  retries.begin();
  retries.opened(0);
  expect([retries.next(1006, 1), retries.next(1001, 2)]).toEqual([1_000, 2_000]);
  retries.opened(10);
  expect(retries.next(1006, 20)).toBe(4_000);
  retries.opened(100);
  expect(retries.next(1006, 60_000)).toBe(1_000);
});

it('isn’t tried again when it never was open, when it has ended, and when somebody opens it that never was', () => {
  const retries = new Retries();
  retries.begin();
  expect(retries.next(1006)).toBeNull();
  retries.opened(0);
  expect([retries.next(1000, 1), retries.next(4401, 1), retries.next(4403, 1)]).toEqual([null, null, null]);
  retries.begin();
  expect(retries.next(1006, 2)).toBeNull();
});

it('is left with Control and ], of which nobody else hears', () => {
  const heard = vi.fn();
  const left = vi.fn();
  addEventListener('keydown', heard);
  const host = document.body.appendChild(document.createElement('div'));
  host.addEventListener('keydown', (event) => leaves(event) && left(), { capture: true });
  host.addEventListener('keydown', heard);
  host.dispatchEvent(new KeyboardEvent('keydown', { key: ']', ctrlKey: true, bubbles: true, cancelable: true }));
  expect([left.mock.calls.length, heard.mock.calls.length]).toEqual([1, 0]);
  host.dispatchEvent(new KeyboardEvent('keydown', { key: ']', bubbles: true }));
  host.dispatchEvent(new KeyboardEvent('keydown', { key: ']', ctrlKey: true, altKey: true, bubbles: true }));
  expect([left.mock.calls.length, heard.mock.calls.length]).toEqual([1, 4]);
  removeEventListener('keydown', heard);
  host.remove();
});

it('reads of a status of Guacamole whether the server was lost, or has ended it on purpose', () => {
  const code = (status: number, message?: string) => codeOfStatus({ code: status, message });
  expect([code(519), code(514, 'Server timeout.'), code(520), code(523, '523')]).toEqual([1006, 1006, 1001, 1001]);
  expect([codeOfStatus(null), code(0, '0'), code(771, '771'), code(516, '516'), code(519, '519'), code(522, '522')]).toEqual([1000, 1000, 4401, 4404, 4403, 4408]);
});

it('gives up what doesn’t come about, and nothing that did', () => {
  vi.useFakeTimers();
  try {
    const socket = () => Object.assign(new EventTarget(), { readyState: WebSocket.CONNECTING as number, close: vi.fn() });
    const [silent, open] = [socket(), socket()];
    [silent, open].forEach((one) => givenUp(one as unknown as WebSocket));
    open.dispatchEvent(new Event('open'));
    vi.advanceTimersByTime(OPENING_MS - 1);
    expect(silent.close).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(silent.close).toHaveBeenCalledOnce();
    expect(open.close).not.toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});
