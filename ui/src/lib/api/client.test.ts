// The client: addresses, headers, and problems as errors.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { address, api, configure, text } from './client';
import { ApiProblem } from './problem';

const fetched = vi.fn<typeof fetch>();
beforeEach(() => {
  vi.stubGlobal('fetch', fetched);
  fetched.mockReset();
  configure({ csrf: 'word' });
});
afterEach(() => vi.unstubAllGlobals());
const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers } });
const sent = (call = 0) => fetched.mock.calls[call]![1]!.headers as Record<string, string>;

describe('what the browser gave up', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  /** An answer that breaks off while it is read. */
  const broken = () => new Response(new ReadableStream({ start: (writer) => writer.error(new TypeError('network error')) }), { headers: { 'content-type': 'application/json' } });

  it('is asked for again if it was only looked at', async () => {
    fetched.mockRejectedValueOnce(new TypeError('failed')).mockResolvedValueOnce(broken()).mockResolvedValueOnce(json(200, { items: [1] }));
    const answer = api.get('/runs');
    await vi.runAllTimersAsync();
    expect(await answer).toEqual({ items: [1] });
    expect(fetched).toHaveBeenCalledTimes(3);
  });

  it('is told after three tries', async () => {
    fetched.mockRejectedValue(new TypeError('failed'));
    const told = expect(api.get('/runs')).rejects.toMatchObject({ code: 'unreachable', status: 0 });
    await vi.advanceTimersByTimeAsync(2_000);
    await told;
    expect(fetched).toHaveBeenCalledTimes(3);
  });

  it('is asked for again if nothing was heard of it for too long, and left its time if it comes slowly', async () => {
    const never = (_: unknown, init?: RequestInit) =>
      new Promise<Response>((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error)));
    fetched.mockImplementationOnce(never).mockResolvedValueOnce(json(200, { items: [2] }));
    const answer = api.get('/runs');
    await vi.advanceTimersByTimeAsync(39_000);
    expect(fetched).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await answer).toEqual({ items: [2] });
    expect(fetched.mock.calls[0]![1]!.signal!.aborted).toBe(true);
    // Four pieces, half a minute between two of them.
    const pieces = ['{"ite', 'ms":', '[3]', '}'];
    const slow = new ReadableStream({
      async pull(writer) {
        await new Promise((later) => setTimeout(later, 30_000));
        const piece = pieces.shift();
        if (piece) writer.enqueue(new TextEncoder().encode(piece));
        else writer.close();
      },
    });
    fetched.mockReset().mockResolvedValueOnce(new Response(slow, { headers: { 'content-type': 'application/json' } }));
    const slowly = api.get('/runs');
    await vi.advanceTimersByTimeAsync(200_000);
    expect(await slowly).toEqual({ items: [3] });
    expect(fetched).toHaveBeenCalledOnce();
  });

  it('is waited for as long as the server works on it', async () => {
    const late = () => new Promise<Response>((answer) => setTimeout(() => answer(json(200, { items: [4] })), 60_000));
    fetched.mockImplementation(late);
    configure({ requestMs: 120_000 });
    try {
      const answer = api.get('/runs');
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await answer).toEqual({ items: [4] });
      expect(fetched).toHaveBeenCalledOnce();
    } finally {
      configure({ requestMs: 30_000 });
    }
  });

  it('is asked for again if a file stops half-way, and let go of where nobody waits for it', async () => {
    const half = (signal: AbortSignal) => new ReadableStream({
      start(writer) {
        writer.enqueue(new TextEncoder().encode('half'));
        signal.addEventListener('abort', () => writer.error(signal.reason));
      },
    });
    const stops = async (_: unknown, init?: RequestInit) => new Response(half(init!.signal!));
    fetched.mockImplementationOnce(stops).mockResolvedValueOnce(new Response('all of it'));
    const file = text('/runs/{id}/artifacts/{name}', { path: { id: 'r', name: 'a.txt' } });
    await vi.advanceTimersByTimeAsync(41_000);
    expect(await file).toBe('all of it');
    const abort = new AbortController();
    fetched.mockReset().mockImplementation(stops);
    const left = expect(text('/runs/{id}/artifacts/{name}', { path: { id: 'r', name: 'a.txt' }, signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await vi.advanceTimersByTimeAsync(1_000);
    abort.abort();
    await left;
    expect(fetched).toHaveBeenCalledOnce();
    expect(fetched.mock.calls[0]![1]!.signal!.aborted).toBe(true);
  });

  it('is told if it hangs each time, and isn’t given up if it changes something', async () => {
    fetched.mockImplementation(() => new Promise(() => {}));
    const told = expect(api.get('/runs')).rejects.toMatchObject({ code: 'unreachable' });
    const changes = vi.fn();
    void api.delete('/tokens/{id}', { path: { id: 't' } }).then(changes, changes);
    await vi.advanceTimersByTimeAsync(200_000);
    await told;
    expect(changes).not.toHaveBeenCalled();
    expect(fetched).toHaveBeenCalledTimes(4);
  });

  it('is never sent again if it changes something, and never asked again if it was answered', async () => {
    fetched.mockRejectedValue(new TypeError('failed'));
    for (const change of [api.post('/runs', { body: {} as never }), api.delete('/tokens/{id}', { path: { id: 't' } })]) await expect(change).rejects.toMatchObject({ code: 'unreachable' });
    expect(fetched).toHaveBeenCalledTimes(2);
    fetched.mockReset().mockImplementation(async () => json(503, { code: 'unavailable', detail: 'Later.' }));
    await expect(api.get('/runs')).rejects.toThrow('Later.');
    expect(fetched).toHaveBeenCalledOnce();
  });

  it('is left alone once nobody waits for it', async () => {
    const abort = new AbortController();
    fetched.mockImplementation(async () => {
      abort.abort();
      throw new DOMException('left', 'AbortError');
    });
    await expect(api.get('/runs', { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(fetched).toHaveBeenCalledOnce();
  });
});

describe('the client', () => {
  it('keeps the slashes of names and escapes the rest', () => {
    expect(address('/workflows/{name}/source', { name: 'lab/a b?' }, { version: 2, not: null, none: '' })).toBe(
      '/api/v1/workflows/lab/a%20b%3F/source?version=2',
    );
  });

  it('tells a name that ends like a part of one from that part', () => {
    expect(address('/workflows/{name}', { name: 'orgs/acme/source' })).toBe('/api/v1/workflows/orgs/acme%2Fsource');
    expect(address('/workflows/{name}/source', { name: 'lab/source' })).toBe('/api/v1/workflows/lab/source/source');
    expect(address('/workflows/{name}', { name: 'lab/restore' })).toBe('/api/v1/workflows/lab%2Frestore');
    for (const name of ['lab/deploy', 'lab/resource', 'source', 'lab/source/x']) {
      expect(address('/workflows/{name}', { name })).toBe(`/api/v1/workflows/${name}`);
    }
  });

  it('sends the word, the version and the key with changes, and no word with reads', async () => {
    fetched.mockImplementation(async () => json(200, {}));
    await api.patch('/schedules/{id}', { path: { id: 's' }, body: { paused: true } as never, ifMatch: 3, idempotencyKey: 'k' });
    expect(sent()).toMatchObject({ 'x-csrf-token': 'word', 'if-match': '"3"', 'idempotency-key': 'k' });
    await api.get('/runs', { query: { limit: 1, 'input.lab': 'demo' } });
    expect(sent(1)).not.toHaveProperty('x-csrf-token');
    expect(fetched.mock.calls[1]![0]).toBe('/api/v1/runs?limit=1&input.lab=demo');
  });

  it('asks for what isn’t there yet, and lets a request outlive its page only if browsers do', async () => {
    fetched.mockImplementation(async () => json(200, { version: 1 }));
    const put = (text: string, keepalive?: boolean) => api.put('/labs/{lab}/drawing', { path: { lab: 'x' }, body: { text }, ifNoneMatch: '*', keepalive });
    await put('small', true);
    expect(sent()).toMatchObject({ 'if-none-match': '*' });
    expect(sent()).not.toHaveProperty('if-match');
    await put('é'.repeat(40_000), true);
    await put('small');
    expect(fetched.mock.calls.map(([, init]) => init!.keepalive === true)).toEqual([true, false, false]);
  });

  it('throws what the server says', async () => {
    fetched.mockImplementation(async () => json(429, { code: 'too_many_requests', detail: 'Slowly.', help: 'Wait.', pointer: '/name' }, { 'retry-after': '3' }));
    const problem = (await api.get('/runs').catch((error: unknown) => error)) as ApiProblem;
    expect(problem).toBeInstanceOf(ApiProblem);
    expect(problem).toMatchObject({ code: 'too_many_requests', status: 429, detail: 'Slowly.', help: 'Wait.', retryAfter: 3 });
    expect(problem.at('/name')).toBe('Slowly.');
  });

  it('says that there was no answer, or none of the server’s', async () => {
    fetched.mockRejectedValueOnce(new TypeError('failed'));
    await expect(api.delete('/tokens/{id}', { path: { id: 't' } })).rejects.toMatchObject({ code: 'unreachable', status: 0 });
    fetched.mockResolvedValueOnce(new Response('<html>', { status: 502 }));
    await expect(api.get('/runs')).rejects.toMatchObject({ code: 'unavailable', status: 502 });
  });

  it('tells the session when it has ended, but not at log-in', async () => {
    const ended = vi.fn();
    configure({ onUnauthenticated: ended });
    fetched.mockImplementation(async () => json(401, { code: 'unauthenticated', detail: 'No.' }));
    await expect(api.post('/session', { body: { name: 'a', password: 'b' } })).rejects.toThrow('No.');
    expect(ended).not.toHaveBeenCalled();
    await expect(api.get('/runs')).rejects.toThrow('No.');
    expect(ended).toHaveBeenCalledOnce();
  });

  it('fetches a new word once when another tab has logged in', async () => {
    configure({
      renew: async () => {
        configure({ csrf: 'new' });
        return true;
      },
    });
    fetched.mockImplementationOnce(async () => json(403, { code: 'permission_denied', detail: 'X-CSRF-Token is missing' }));
    fetched.mockImplementationOnce(async () => json(200, {}));
    await api.post('/runs/{id}/retry', { path: { id: 'r' } } as never);
    expect(sent(1)['x-csrf-token']).toBe('new');
  });

  it('sends nothing in the name of somebody else who has logged in', async () => {
    configure({ renew: async () => false });
    fetched.mockImplementationOnce(async () => json(403, { code: 'permission_denied', detail: 'X-CSRF-Token is missing' }));
    const before = fetched.mock.calls.length;
    await expect(api.post('/runs/{id}/retry', { path: { id: 'r' } } as never)).rejects.toThrow('Nothing was sent');
    expect(fetched.mock.calls.length).toBe(before + 1);
  });
});
