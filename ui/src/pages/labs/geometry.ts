// Lines between things: from middle to middle, bent where there are several between the same two.
import { SIZE } from './layout';
import type { Point } from './scene';

const BEND = 46;

export interface Line {
  path: string;
  /** Where what is said about it stands. */
  middle: Point;
  /** Where it leaves each of its ends. */
  ends: [Point, Point];
}

/** A line between two middles; `nth` of `of` between the same two, counted from the one whose id is lower. */
export function lineOf(a: Point, b: Point, nth: number, of: number, swapped: boolean): Line {
  const offset = (nth - (of - 1) / 2) * BEND * (swapped ? -1 : 1);
  const far = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const side = { x: -(b.y - a.y) / far, y: (b.x - a.x) / far };
  const bend = { x: (a.x + b.x) / 2 + side.x * offset * 2, y: (a.y + b.y) / 2 + side.y * offset * 2 };
  const middle = { x: (a.x + b.x) / 2 + side.x * offset, y: (a.y + b.y) / 2 + side.y * offset };
  const round = (value: number) => Math.round(value * 10) / 10;
  const path = offset
    ? `M${round(a.x)} ${round(a.y)}Q${round(bend.x)} ${round(bend.y)} ${round(b.x)} ${round(b.y)}`
    : `M${round(a.x)} ${round(a.y)}L${round(b.x)} ${round(b.y)}`;
  const toward = offset ? [bend, bend] : [b, a];
  return { path, middle, ends: [leaving(a, toward[0]!), leaving(b, toward[1]!)] };
}

/** Where a line from the middle of a box toward a point is a little outside of it. */
function leaving(from: Point, to: Point): Point {
  const x = to.x - from.x;
  const y = to.y - from.y;
  const scale = Math.min(x ? (SIZE.width / 2 + 8) / Math.abs(x) : Infinity, y ? (SIZE.height / 2 + 10) / Math.abs(y) : Infinity, 0.45);
  return { x: from.x + x * scale, y: from.y + y * scale };
}

export const middleOf = (at: Point): Point => ({ x: at.x + SIZE.width / 2, y: at.y + SIZE.height / 2 });
