// Lines between things: from middle to middle, bent where there are several between the same two.
import { SIZE } from './layout';
import type { Point } from './scene';

const BEND = 46;

export interface Line {
  path: string;
  /** Where what is said about it stands: the middle of the words. */
  said: Point;
  /** Its middle. */
  middle: Point;
  /** Where the names of its ends stand: the middle of each. */
  ends: [Point, Point];
}

/** How large a text is, about: ends' names are written in 10 px, what is said in 11 px. */
export const LABEL = { letter: 6.1, height: 12 };
const widthOf = (text: string) => text.length * LABEL.letter;
const GAP = 5;

/** A line between two middles; `nth` of `of` between the same two, counted from the one whose id is lower; the names at its ends, and what
 * is said of it. Things are drawn over lines, so words stand beside things. */
export function lineOf(a: Point, b: Point, nth: number, of: number, swapped: boolean, names: readonly [string, string] = ['', ''], said = ''): Line {
  const offset = (nth - (of - 1) / 2) * BEND * (swapped ? -1 : 1);
  const far = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const side = { x: -(b.y - a.y) / far, y: (b.x - a.x) / far };
  const bend = { x: (a.x + b.x) / 2 + side.x * offset * 2, y: (a.y + b.y) / 2 + side.y * offset * 2 };
  const middle = { x: (a.x + b.x) / 2 + side.x * offset, y: (a.y + b.y) / 2 + side.y * offset };
  const round = (value: number) => Math.round(value * 10) / 10;
  const path = offset
    ? `M${round(a.x)} ${round(a.y)}Q${round(bend.x)} ${round(bend.y)} ${round(b.x)} ${round(b.y)}`
    : `M${round(a.x)} ${round(a.y)}L${round(b.x)} ${round(b.y)}`;
  const [toB, toA] = offset ? [bend, bend] : [b, a];
  const [first, second] = names.map(widthOf) as [number, number];
  let ends: [Point, Point] = [leaving(a, toB, first), leaving(b, toA, second)];
  // Where there is no room for both one after the other, they stand at both sides of the line; where there is none at all, beside the things.
  if (names[0] && names[1] && meet(ends[0], first, ends[1], second)) {
    const level = Math.abs(b.x - a.x) - SIZE.width >= Math.abs(b.y - a.y) - SIZE.height;
    const aside = (at: Point, width: number, way: number) => (level ? { x: at.x, y: at.y + way * LABEL.height * 0.6 } : { x: at.x + way * (width / 2 + 3), y: at.y });
    const way = (level ? ends[0].y > ends[1].y : ends[0].x > ends[1].x) ? 1 : -1;
    ends = [aside(ends[0], first, way), aside(ends[1], second, -way)];
  }
  const free = (at: Point, width: number) => ![a, b].some((box) => covers(box, at, width));
  if (!free(ends[0], first)) ends[0] = corner(a, b, first, -1);
  if (!free(ends[1], second)) ends[1] = corner(b, a, second, 1);
  let words = { x: middle.x, y: middle.y - 10 };
  if (said && !free(words, widthOf(said))) words = { x: middle.x, y: Math.min(a.y, b.y, middle.y) - SIZE.height / 2 - LABEL.height };
  return { path, middle, said: words, ends };
}

/** Where a text on the line from the middle of a box toward a point is just outside of the box. */
function leaving(from: Point, to: Point, width: number): Point {
  const [x, y] = [to.x - from.x, to.y - from.y];
  const across = (SIZE.width + width) / 2 + GAP;
  const down = (SIZE.height + LABEL.height) / 2 + GAP;
  const scale = Math.min(x ? across / Math.abs(x) : Infinity, y ? down / Math.abs(y) : Infinity, 1);
  return { x: from.x + x * scale, y: from.y + y * scale };
}

/** Above (-1) or below (1) a box, at the side that looks toward another one. */
function corner(of: Point, other: Point, width: number, side: -1 | 1): Point {
  const inward = Math.max(0, (SIZE.width - width) / 2 - GAP);
  return { x: of.x + Math.sign(other.x - of.x) * inward, y: of.y + side * ((SIZE.height + LABEL.height) / 2 + GAP) };
}

/** Whether a box hides something of a text. */
export const covers = (box: Point, at: Point, width: number) => Math.abs(box.x - at.x) < (SIZE.width + width) / 2 && Math.abs(box.y - at.y) < (SIZE.height + LABEL.height) / 2;
const meet = (a: Point, first: number, b: Point, second: number) => Math.abs(a.x - b.x) < (first + second) / 2 + 2 && Math.abs(a.y - b.y) < LABEL.height;

/** Whether a straight line between two middles passes a box, given by its middle, or nearly. */
export function passes(a: Point, b: Point, box: Point): boolean {
  let [from, to] = [0, 1];
  for (const [start, way, centre, half] of [[a.x, b.x - a.x, box.x, SIZE.width / 2 + GAP], [a.y, b.y - a.y, box.y, SIZE.height / 2 + GAP]] as const) {
    if (way === 0) {
      if (Math.abs(start - centre) > half) return false;
      continue;
    }
    const [one, other] = [(centre - half - start) / way, (centre + half - start) / way];
    [from, to] = [Math.max(from, Math.min(one, other)), Math.min(to, Math.max(one, other))];
  }
  return from <= to;
}

export const middleOf = (at: Point): Point => ({ x: at.x + SIZE.width / 2, y: at.y + SIZE.height / 2 });
