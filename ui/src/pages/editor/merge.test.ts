// Two people's changes of one text: what goes together by itself, and where somebody has to choose.
import { describe, expect, it } from 'vitest';
import { merged, piecesOf } from './merge';

const text = (...lines: string[]) => lines.join('\n');
const BASE = text('a', 'b', 'c', 'd', 'e', 'f');
const kinds = (mine: string, theirs: string, base = BASE) => piecesOf(base, mine, theirs).map((one) => one.kind);

describe('two changes', () => {
  it('that do not touch go together', () => {
    const mine = text('a', 'B', 'c', 'd', 'e', 'f');
    const theirs = text('a', 'b', 'c', 'd', 'E', 'f', 'g');
    expect(kinds(mine, theirs)).toEqual(['same', 'mine', 'same', 'theirs', 'same', 'theirs']);
    expect(merged(piecesOf(BASE, mine, theirs), {})).toBe(text('a', 'B', 'c', 'd', 'E', 'f', 'g'));
  });
  it('of the same line wait for a choice, and lose nothing', () => {
    const pieces = piecesOf(BASE, text('a', 'mine', 'c', 'd', 'e', 'f'), text('0', 'a', 'theirs', 'c', 'd', 'e', 'f'));
    expect(pieces.map((one) => one.kind)).toEqual(['theirs', 'same', 'conflict', 'same']);
    expect(pieces[2]).toMatchObject({ base: ['b'], mine: ['mine'], theirs: ['theirs'], line: 3 });
    expect(merged(pieces, {})).toBeNull();
    expect(merged(pieces, { 2: 'mine' })).toBe(text('0', 'a', 'mine', 'c', 'd', 'e', 'f'));
    expect(merged(pieces, { 2: 'theirs' })).toBe(text('0', 'a', 'theirs', 'c', 'd', 'e', 'f'));
    expect(merged(pieces, { 2: 'theirs-mine' })).toBe(text('0', 'a', 'theirs', 'mine', 'c', 'd', 'e', 'f'));
    expect(merged(pieces, { 2: 'base' })).toBe(text('0', 'a', 'b', 'c', 'd', 'e', 'f'));
  });
  it('that are the same are one', () => {
    const both = text('a', 'x', 'c', 'd', 'e', 'f');
    expect(kinds(both, both)).toEqual(['same', 'both', 'same']);
    expect(merged(piecesOf(BASE, both, both), {})).toBe(both);
  });
  it('that put in at the same place, or remove what the other changed, wait for a choice', () => {
    expect(kinds(text(BASE, 'mine'), text(BASE, 'theirs'))).toEqual(['same', 'conflict']);
    expect(kinds(text('a', 'f'), text('a', 'b', 'C', 'd', 'e', 'f'))).toEqual(['same', 'conflict', 'same']);
  });
  it('of nothing are a choice between two texts', () => {
    expect(kinds('mine', 'theirs', '')).toEqual(['conflict']);
  });
  it('in any combination give each side’s own text back', () => {
    // What one takes of every piece is what one wrote: nothing is lost in between.
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const change = (lines: string[], name: string) => lines.flatMap((line) => [[line], [line], [line], [], [`${name}${random(9)}`], [line, name]][random(6)]!);
    for (let round = 0; round < 300; round += 1) {
      const base = Array.from({ length: random(12) }, () => `l${random(5)}`);
      const [mine, theirs] = [change(base, 'm').join('\n'), change(base, 't').join('\n')];
      const pieces = piecesOf(base.join('\n'), mine, theirs);
      expect(pieces.flatMap((one) => one.base).join('\n')).toBe(base.join('\n'));
      expect(pieces.flatMap((one) => one.mine).join('\n')).toBe(mine);
      expect(pieces.flatMap((one) => one.theirs).join('\n')).toBe(theirs);
    }
  });
});
