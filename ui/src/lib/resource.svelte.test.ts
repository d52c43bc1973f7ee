// What a page has fetched: anew when what it depends on changes, never out of order, page after page.
import { flushSync } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiProblem } from './api/problem';
import { pages, resource } from './resource.svelte';
import { session } from './session.svelte';

const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
};
let end = () => {};
afterEach(() => end());
/** As if a component were set up. */
function setUp<T>(make: () => T): T {
  let made!: T;
  end = $effect.root(() => {
    made = make();
  });
  flushSync();
  return made;
}

describe('a resource', () => {
  it('is fetched anew when what it read changes, and an answer that comes too late is dropped', async () => {
    let name = $state('slow');
    const answers: Record<string, (text: string) => void> = {};
    const found = setUp(() => resource(() => {
      const asked = name;
      return new Promise<string>((resolve) => (answers[asked] = resolve));
    }));
    expect(found.loading).toBe(true);
    name = 'quick';
    flushSync();
    answers.quick!('the quick one');
    await settle();
    answers.slow!('the slow one');
    await settle();
    expect([found.data, found.loading]).toEqual(['the quick one', false]);
  });

  it('keeps what it has when fetching it again fails, and says why', async () => {
    const fetcher = vi.fn().mockResolvedValueOnce(1).mockRejectedValueOnce(new ApiProblem('unavailable', 503, 'Busy.')).mockResolvedValueOnce(2);
    const found = setUp(() => resource<number>(fetcher));
    await settle();
    await found.reload();
    expect([found.data, found.problem?.detail, found.loading]).toEqual([1, 'Busy.', false]);
    await found.reload();
    expect([found.data, found.problem]).toEqual([2, null]);
  });

  it('that was refused is asked for again after a log-in, and one that is there stays', async () => {
    const refused = vi.fn().mockRejectedValueOnce(new ApiProblem('unauthenticated', 401, 'Log in.')).mockResolvedValue('there');
    const fine = vi.fn().mockResolvedValue('fine');
    const [first, second] = setUp(() => [resource<string>(refused), resource<string>(fine)]);
    await settle();
    expect(first!.problem?.code).toBe('unauthenticated');
    session.logIns += 1;
    flushSync();
    await settle();
    expect([first!.data, second!.data]).toEqual(['there', 'fine']);
    expect([refused.mock.calls.length, fine.mock.calls.length]).toEqual([2, 1]);
  });

  it('isn’t waited for any more when the page is gone', () => {
    let signal: AbortSignal | undefined;
    setUp(() => resource((given) => {
      signal = given;
      return new Promise<never>(() => {});
    }));
    end();
    expect(signal?.aborted).toBe(true);
  });
});

describe('a list in pages', () => {
  it('goes on where the page before ended, until there is no more', async () => {
    const fetcher = vi.fn(async (cursor: string | undefined) => (cursor ? { items: [3], next: null } : { items: [1, 2], next: 'c' }));
    const list = setUp(() => pages<number>(fetcher));
    await settle();
    expect([list.items, list.next, list.loading]).toEqual([[1, 2], 'c', false]);
    await list.more();
    expect([list.items, list.next]).toEqual([[1, 2, 3], null]);
    await list.more();
    expect(fetcher).toHaveBeenCalledTimes(2);
  });

  it('drops a page of a list that was fetched anew meanwhile', async () => {
    let give!: (page: { items: number[]; next: null }) => void;
    const fetcher = vi.fn((cursor: string | undefined) =>
      cursor ? new Promise<{ items: number[]; next: null }>((resolve) => (give = resolve)) : Promise.resolve({ items: [1], next: 'c' }),
    );
    const list = setUp(() => pages<number>(fetcher));
    await settle();
    const more = list.more();
    await list.reload();
    give({ items: [9], next: null });
    await more;
    expect([list.items, list.next]).toEqual([[1], 'c']);
  });
});
