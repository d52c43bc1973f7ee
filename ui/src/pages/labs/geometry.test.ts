// Lines: what is written at them is never behind a thing that they lead to, however near things stand.
import { describe, expect, it } from 'vitest';
import { covers, LABEL, lineOf } from './geometry';
import { SIZE } from './layout';

const width = (text: string) => text.length * LABEL.letter;

describe('words at a line', () => {
  // As near as things may be placed, and farther, in all directions.
  const across = [0, 40, 100, 172, 190, 200, 240, 320, 600];
  const down = [0, 30, 80, 90, 130, 300];
  const places = across.flatMap((x) => down.flatMap((y) => [[x, y], [-x, y], [x, -y]] as const)).filter(([x, y]) => Math.abs(x) >= SIZE.width + 24 || Math.abs(y) >= SIZE.height + 28);

  it.each(['eth0', 'eth10', 'GigabitEth0'])('are beside the things: %s', (port) => {
    for (const [x, y] of places) {
      for (const [nth, of] of [[0, 1], [0, 2], [1, 2], [2, 3]] as const) {
        const [a, b] = [{ x: 0, y: 0 }, { x, y }];
        const line = lineOf(a, b, nth, of, false, [port, port], '5 ms · 1 % lost');
        for (const [at, text] of [[line.ends[0], port], [line.ends[1], port], [line.said, '5 ms · 1 % lost']] as const) {
          expect([a, b].some((box) => covers(box, at, width(text))), `${text} of ${nth}/${of} to ${x},${y} at ${at.x},${at.y}`).toBe(false);
        }
      }
    }
  });

  it('do not cover one another where both ends have a name', () => {
    for (const [x, y] of places) {
      const { ends: [first, second] } = lineOf({ x: 0, y: 0 }, { x, y }, 0, 1, false, ['eth0', 'eth0']);
      const apart = Math.abs(first.x - second.x) >= width('eth0') || Math.abs(first.y - second.y) >= LABEL.height;
      expect(apart, `${x},${y}`).toBe(true);
    }
  });
});
