// What a page has fetched: anew when what it depends on changes, never out of order, page after page.
import { flushSync } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiProblem } from './api/problem';
import { pages, resource, whole } from './resource.svelte';
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

  /** A server with numbered entries, in pages of two or as many as are asked for; `hold` answers when it is told to. */
  function served(from: number[]) {
    const held: (() => void)[] = [];
    const server = { has: from, hold: false, asked: [] as (number | undefined)[], give: () => held.splice(0).forEach((one) => one()) };
    const fetcher = vi.fn(async (cursor: string | undefined, _: AbortSignal, limit = 2) => {
      const [all, begin] = [server.has, cursor ? Number(cursor) : -Infinity];
      server.asked.push(limit);
      if (server.hold) await new Promise<void>((resolve) => held.push(resolve));
      const rest = all.filter((one) => one > begin);
      const items = rest.slice(0, limit);
      return { items, next: rest.length > limit ? String(items.at(-1)) : null };
    });
    return { server, fetcher };
  }
  const until200 = Array.from({ length: 200 }, (_, at) => at + 1);

  it('is asked again for as many as are shown', async () => {
    const { server, fetcher } = served(until200);
    const list = setUp(() => pages<number>((cursor, signal, limit) => fetcher(cursor, signal, limit ?? 60)));
    await settle();
    await list.more();
    expect(list.items).toHaveLength(120);
    server.has = until200.filter((one) => one !== 3);
    await list.refresh();
    expect([list.items.length, list.items.includes(3), list.items.at(-1), list.next]).toEqual([120, false, 121, '121']);
    // The next page begins where this one ends: nothing twice, nothing left out.
    await list.more();
    expect(list.items).toEqual(server.has.slice(0, 180));
  });

  it('is asked again after the first page, if something happened while that was on its way', async () => {
    vi.useFakeTimers();
    const { server, fetcher } = served([1]);
    server.hold = true;
    const list = setUp(() => pages<number>((cursor, signal, limit) => fetcher(cursor, signal, limit ?? 50)));
    await settle();
    server.has = [1, 2];
    await list.refresh();
    server.hold = false;
    server.give();
    await vi.advanceTimersByTimeAsync(1);
    expect(list.items).toEqual([1, 2]);
    vi.useRealTimers();
  });

  it('shows new ones at its end, if all were shown', async () => {
    const { server, fetcher } = served(until200.slice(0, 55));
    const list = setUp(() => pages<number>((cursor, signal, limit) => fetcher(cursor, signal, limit ?? 50)));
    await settle();
    await list.more();
    server.has = until200.slice(0, 58);
    await list.refresh();
    expect([list.items.length, list.next]).toEqual([58, null]);
  });

  it('keeps a page that comes while it is asked for again, and the other way round', async () => {
    const { server, fetcher } = served(until200);
    const list = setUp(() => pages<number>((cursor, signal, limit) => fetcher(cursor, signal, limit ?? 60)));
    await settle();
    server.hold = true;
    const both = [list.more(), list.refresh()];
    for (let turn = 0; turn < 4; turn += 1) {
      await settle();
      server.give();
    }
    await Promise.all(both);
    expect(list.items).toEqual(until200.slice(0, 120));
    const others = [list.refresh(), list.more(), list.refresh()];
    for (let turn = 0; turn < 4; turn += 1) {
      await settle();
      server.give();
    }
    await Promise.all(others);
    expect(list.items).toEqual(until200.slice(0, 180));
  });

  it('is fetched whole while something is looked for in it, and not before', async () => {
    let text = $state('');
    const { fetcher } = served(until200);
    let looking!: () => boolean;
    const list = setUp(() => {
      const made = pages<number>((cursor, signal, limit) => fetcher(cursor, signal, limit ?? 60));
      looking = whole(made, () => text !== '');
      return made;
    });
    await settle();
    expect([list.items.length, looking()]).toEqual([60, false]);
    text = '199';
    for (let turn = 0; turn < 6; turn += 1) {
      flushSync();
      if (turn === 0) expect(looking()).toBe(true);
      await settle();
    }
    expect([list.items.length, looking(), fetcher.mock.calls.length]).toEqual([200, false, 4]);
  });

  it('doesn’t bring back what was taken out here, nor another list’s', async () => {
    let which = $state('one');
    const { server, fetcher } = served(until200);
    const list = setUp(() => pages<string>(async (cursor, signal, limit) => {
      const asked = which;
      const page = await fetcher(cursor, signal, limit ?? 60);
      return { ...page, items: page.items.map((one) => `${asked} ${one}`) };
    }));
    await settle();
    server.hold = true;
    const late = list.refresh();
    await settle();
    list.set(list.items.filter((one) => one !== 'one 5'));
    server.has = until200.filter((one) => one !== 5);
    for (let turn = 0; turn < 4; turn += 1) {
      server.give();
      await settle();
      expect(list.items).not.toContain('one 5');
    }
    await late;
    const older = list.refresh();
    await settle();
    const giveOlder = server.give;
    server.hold = false;
    which = 'two';
    flushSync();
    await settle();
    expect(list.items[0]).toBe('two 1');
    giveOlder();
    await older;
    expect(list.items[0]).toBe('two 1');
  });
});
