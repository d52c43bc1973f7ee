// What differs between two texts.
import { describe, expect, it } from 'vitest';
import { difference, shortened, type DiffLine } from './difference';

const signs = (lines: (DiffLine | null)[]) => lines.map((line) => (line ? `${{ same: ' ', removed: '-', added: '+' }[line.kind]}${line.text}` : '…'));
const rebuilt = (lines: DiffLine[], without: DiffLine['kind']) => lines.filter((line) => line.kind !== without).map((line) => line.text).join('\n');

describe('difference', () => {
  it('finds the shortest change', () => {
    expect(signs(difference('a\nb\nc\nd', 'a\nx\nc\nd\ne'))).toEqual([' a', '-b', '+x', ' c', ' d', '+e']);
    expect(signs(difference('same\ntext', 'same\ntext'))).toEqual([' same', ' text']);
    expect(signs(difference('', 'new'))).toEqual(['-', '+new']);
  });
  it('gives back both texts, whatever they are', () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 300; round += 1) {
      const text = () => Array.from({ length: random(12) }, () => 'abcd'[random(4)]).join('\n');
      const [first, second] = [text(), text()];
      const lines = difference(first, second);
      expect(rebuilt(lines, 'added')).toBe(first);
      expect(rebuilt(lines, 'removed')).toBe(second);
      for (const line of lines) {
        if (line.before) expect(first.split('\n')[line.before - 1]).toBe(line.text);
        if (line.after) expect(second.split('\n')[line.after - 1]).toBe(line.text);
      }
    }
  });
  it('leaves out what is far from a change', () => {
    const before = Array.from({ length: 20 }, (_, at) => `l${at}`);
    const after = before.with(10, 'new');
    expect(signs(shortened(difference(before.join('\n'), after.join('\n')), 1))).toEqual(['…', ' l9', '-l10', '+new', ' l11', '…']);
  });
});
