// A page that is loaded anew, and not over and over.
import { beforeEach, expect, it, vi } from 'vitest';
import { anew } from './anew';

beforeEach(() => sessionStorage.clear());

it('is loaded anew once, and again when that is long ago', () => {
  const reload = vi.spyOn(location, 'reload').mockImplementation(() => {});
  expect(anew(1_000_000)).toBe(true);
  expect(anew(1_010_000)).toBe(false);
  expect(reload).toHaveBeenCalledOnce();
  expect(anew(1_040_000)).toBe(true);
  expect(reload).toHaveBeenCalledTimes(2);
});

it('isn’t where a browser keeps nothing', () => {
  const reload = vi.spyOn(location, 'reload').mockImplementation(() => {});
  vi.spyOn(sessionStorage, 'setItem').mockImplementation(() => {
    throw new DOMException('forbidden');
  });
  expect(anew()).toBe(false);
  expect(reload).not.toHaveBeenCalled();
});
