// The parser of server-sent events.
import { describe, expect, it } from 'vitest';
import { Parser } from './sse';

describe('a stream of events', () => {
  it('is taken apart wherever it is cut', () => {
    const text = 'retry: 2000\n: windlass\n\nid: 1\nevent: run.launched\ndata: {"a":1}\n\nid: 2\r\ndata: x\r\ndata: y\r\n\r\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new Parser();
      const frames = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      expect(frames).toEqual([
        { id: '1', event: 'run.launched', data: '{"a":1}' },
        { id: '2', event: 'message', data: 'x\ny' },
      ]);
      expect(parser.retry).toBe(2000);
      expect(parser.lastId).toBe('2');
    }
  });

  it('remembers an id that came without an event', () => {
    const parser = new Parser();
    expect(parser.push('id: 0.9\n: \n\n')).toEqual([]);
    expect(parser.lastId).toBe('0.9');
  });

  it('gives nothing that isn’t whole', () => {
    const parser = new Parser();
    expect(parser.push('id: 1\ndata: half\n')).toEqual([]);
    // Who goes on behind it would never see it.
    expect(parser.lastId).toBeUndefined();
  });
});
