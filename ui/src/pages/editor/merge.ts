// Two people changed the same text: what each changed, what doesn't touch, and where somebody has to choose.
import { difference } from '../run/difference';

export interface Piece {
  /** `same`: nobody changed it. `both`: both made the same of it. `conflict`: each made something else of it. */
  kind: 'same' | 'mine' | 'theirs' | 'both' | 'conflict';
  base: string[];
  mine: string[];
  theirs: string[];
  /** Number of its first line in theirs, from 1. */
  line: number;
}
export type Choice = 'mine' | 'theirs' | 'theirs-mine' | 'base';

/** Lines `from` to `to` (not included) of the base that became `lines`. */
interface Hunk {
  from: number;
  to: number;
  lines: string[];
}

function hunksOf(base: string, next: string): Hunk[] {
  const hunks: Hunk[] = [];
  let at = 0;
  let open: Hunk | undefined;
  for (const line of difference(base, next)) {
    if (line.kind === 'same') open = undefined;
    else {
      if (!open) hunks.push((open = { from: at, to: at, lines: [] }));
      if (line.kind === 'removed') open.to = at + 1;
      else open.lines.push(line.text);
    }
    if (line.kind !== 'added') at += 1;
  }
  return hunks;
}

/** What the hunks make of lines `from` to `to` of the base. */
function applied(base: readonly string[], hunks: readonly Hunk[], from: number, to: number): string[] {
  const lines: string[] = [];
  let at = from;
  for (const hunk of hunks) {
    lines.push(...base.slice(at, hunk.from), ...hunk.lines);
    at = hunk.to;
  }
  return [...lines, ...base.slice(at, to)];
}

const equal = (one: readonly string[], other: readonly string[]) => one.length === other.length && one.every((line, index) => line === other[index]);

/** Both changes to a text, piece by piece in its order. Changes that overlap or touch one another are one piece. */
export function piecesOf(base: string, mine: string, theirs: string): Piece[] {
  const lines = base.split('\n');
  const own = hunksOf(base, mine);
  const other = hunksOf(base, theirs);
  const pieces: Piece[] = [];
  let at = 0;
  let line = 1;
  const add = (piece: Omit<Piece, 'line'>) => {
    pieces.push({ ...piece, line });
    line += piece.theirs.length;
  };
  const same = (to: number) => {
    const between = lines.slice(at, to);
    if (between.length) add({ kind: 'same', base: between, mine: between, theirs: between });
  };
  while (own.length || other.length) {
    const from = Math.min(own[0]?.from ?? Infinity, other[0]?.from ?? Infinity);
    let to = from;
    const [a, b]: [Hunk[], Hunk[]] = [[], []];
    for (;;) {
      if (own[0] && own[0].from <= to) a.push(own.shift()!);
      else if (other[0] && other[0].from <= to) b.push(other.shift()!);
      else break;
      to = Math.max(to, a.at(-1)?.to ?? 0, b.at(-1)?.to ?? 0);
    }
    same(from);
    const [now, then] = [applied(lines, a, from, to), applied(lines, b, from, to)];
    add({ kind: !b.length ? 'mine' : !a.length ? 'theirs' : equal(now, then) ? 'both' : 'conflict', base: lines.slice(from, to), mine: now, theirs: then });
    at = to;
  }
  same(lines.length);
  return pieces;
}

/** The text that comes of it; `choices` are those of conflicts, by the pieces' order. Null: one is still open. */
export function merged(pieces: readonly Piece[], choices: Readonly<Record<number, Choice | undefined>>): string | null {
  const lines: string[] = [];
  for (const [index, piece] of pieces.entries()) {
    if (piece.kind !== 'conflict') {
      lines.push(...(piece.kind === 'theirs' ? piece.theirs : piece.mine));
      continue;
    }
    const choice = choices[index];
    if (!choice) return null;
    lines.push(...(choice === 'theirs-mine' ? [...piece.theirs, ...piece.mine] : piece[choice]));
  }
  return lines.join('\n');
}
