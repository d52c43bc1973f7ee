// Streams: going on after a break, what was caught up, the end, and what isn't tried again.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { follow, type Following, type StreamState } from './stream';

/** A connection that a test writes into. */
class Connection {
  #writer: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly response: Response;
  readonly lastId: string | undefined;
  constructor(init: RequestInit) {
    this.lastId = (init.headers as Record<string, string>)['last-event-id'];
    this.response = new Response(new ReadableStream({ start: (writer) => void (this.#writer = writer) }), { status: 200 });
    init.signal?.addEventListener('abort', () => this.fail());
  }
  say(text: string) {
    this.#writer!.enqueue(new TextEncoder().encode(text));
  }
  event(id: number, at = 1) {
    this.say(`id: ${id}\nevent: output.log\ndata: {"run":"r","seq":${id},"at_ms":${at},"kind":"output.log","data":{}}\n\n`);
  }
  close() {
    this.#writer!.close();
  }
  fail() {
    try {
      this.#writer!.error(new TypeError('gone'));
    } catch {
      // It is closed already.
    }
  }
}

let connections: Connection[];
let answers: (() => Response)[];
let following: Following | undefined;
const seen: number[] = [];
const states: StreamState['kind'][] = [];
const caught = vi.fn();
const done = vi.fn();
const start = (after?: number) =>
  (following = follow('/runs/r/events', {
    after,
    onEvents: (events) => seen.push(...events.map((event) => event.seq)),
    onState: (state) => states.push(state.kind),
    onCaughtUp: caught,
    onDone: done,
  }));
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  connections = [];
  answers = [];
  seen.length = states.length = 0;
  caught.mockReset();
  done.mockReset();
  vi.stubGlobal('fetch', vi.fn(async (_url: string, init: RequestInit) => {
    const answer = answers.shift();
    if (answer) return answer();
    const connection = new Connection(init);
    connections.push(connection);
    return connection.response;
  }));
});
afterEach(() => {
  following?.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a stream', () => {
  it('goes on behind the last event after a break, and tells how many it caught up', async () => {
    start(4);
    await settle();
    expect(connections[0]!.lastId).toBe('4');
    connections[0]!.event(5);
    await settle();
    connections[0]!.close();
    await settle();
    expect(states).toEqual(['connecting', 'live', 'waiting']);
    await settle(1_300);
    expect(connections[1]!.lastId).toBe('5');
    connections[1]!.event(6);
    connections[1]!.event(7);
    await settle(2_000);
    expect(seen).toEqual([5, 6, 7]);
    expect(caught).toHaveBeenCalledExactlyOnceWith(2);
    connections[1]!.event(8);
    await settle(2_000);
    expect(caught).toHaveBeenCalledTimes(1);
  });

  it('tells what it caught up where something happens all the time, too', async () => {
    start();
    await settle();
    connections[0]!.event(1);
    await settle();
    connections[0]!.close();
    await settle(1_300);
    connections[1]!.event(2);
    connections[1]!.event(3);
    for (let id = 4; id < 40; id += 1) {
      await settle(100);
      connections[1]!.event(id, Date.now());
    }
    await settle();
    expect(seen).toEqual(Array.from({ length: 39 }, (_, at) => at + 1));
    // The two that were missed, and what came within the second that the server's clock is read to.
    expect(caught).toHaveBeenCalledTimes(1);
    expect(caught.mock.calls[0]![0]).toBeGreaterThanOrEqual(2);
    expect(caught.mock.calls[0]![0]).toBeLessThan(15);
  });

  it('tries again while there is no server, more and more slowly, and at once when asked', async () => {
    const refuse = () => {
      throw new TypeError('refused');
    };
    answers = Array.from({ length: 30 }, () => refuse);
    start();
    await settle(60_000);
    const tries = vi.mocked(fetch).mock.calls.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(20);
    answers = [];
    following!.retry();
    await settle();
    expect(states.at(-1)).toBe('live');
  });

  it('ends with what the server says last, and doesn’t come back', async () => {
    start();
    await settle();
    connections[0]!.event(1);
    connections[0]!.say('event: done\ndata: {"run":"r","state":"succeeded"}\n\n');
    connections[0]!.close();
    await settle(60_000);
    expect(done).toHaveBeenCalledExactlyOnceWith({ run: 'r', state: 'succeeded' });
    expect(states.at(-1)).toBe('done');
    expect(connections).toHaveLength(1);
  });

  it('is over when there is nothing more', async () => {
    answers = [() => new Response(null, { status: 204 })];
    start(9);
    await settle(60_000);
    expect(states).toEqual(['connecting', 'done']);
  });

  it('doesn’t try again what is refused', async () => {
    answers = [() => new Response(JSON.stringify({ code: 'run_not_found', detail: 'No.' }), { status: 404, headers: { 'content-type': 'application/problem+json' } })];
    start();
    await settle(60_000);
    expect(states).toEqual(['connecting', 'refused']);
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('waits as long as the server asks for', async () => {
    answers = [() => new Response('{}', { status: 503, headers: { 'retry-after': '20' } })];
    start();
    await settle(14_000);
    expect(fetch).toHaveBeenCalledTimes(1);
    await settle(12_000);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it('doubts a connection that says nothing, heartbeats included', async () => {
    start();
    await settle();
    connections[0]!.say(': \n\n');
    await settle(44_000);
    connections[0]!.say(': \n\n');
    await settle(44_000);
    expect(connections).toHaveLength(1);
    await settle(4_000);
    expect(connections).toHaveLength(2);
  });
});
