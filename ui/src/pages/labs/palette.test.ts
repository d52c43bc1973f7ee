// What is put on the canvas by the keyboard stands where nothing is, and where no link passes.
import { describe, expect, it } from 'vitest';
import { middleOf, passes } from './geometry';
import { SIZE } from './layout';
import { freePlace } from './palette';
import type { Point, Scene } from './scene';

function scene(places: Record<string, Point>, links: [string, string][]) {
  const things = Object.entries(places).map(([id, position]) => ({ id, position }));
  return { things, links: links.map(([a, b]) => ({ ends: [{ thing: a }, { thing: b }] })), byId: new Map(things.map((one) => [one.id, one])) } as unknown as Scene;
}
/** Whether a box at this place hides a point of the line, looked at step by step. */
function hides(at: Point, a: Point, b: Point) {
  const middle = middleOf(at);
  return Array.from({ length: 1001 }, (_, step) => step / 1000).some((part) => Math.abs(a.x + (b.x - a.x) * part - middle.x) <= SIZE.width / 2 && Math.abs(a.y + (b.y - a.y) * part - middle.y) <= SIZE.height / 2);
}

describe('the free place', () => {
  it('is the point itself where nothing is', () => {
    expect(freePlace(scene({}, []), { x: 40, y: 60 })).toEqual({ x: 40, y: 60 });
    expect(freePlace(scene({ a: { x: 400, y: 60 } }, []), { x: 40, y: 60 })).toEqual({ x: 40, y: 60 });
  });

  it.each([
    ['beside', { x: 600, y: 0 }],
    ['below', { x: 0, y: 600 }],
    ['across', { x: 600, y: 500 }],
    ['back', { x: -600, y: 300 }],
  ])('is off the link between two things: %s', (_, other) => {
    const drawn = scene({ a: { x: 0, y: 0 }, b: other }, [['a', 'b']]);
    const between = { x: other.x / 2, y: other.y / 2 };
    const [a, b] = [middleOf({ x: 0, y: 0 }), middleOf(other)];
    expect(hides(between, a, b)).toBe(true);
    const at = freePlace(drawn, between);
    expect(hides(at, a, b)).toBe(false);
    // Near all the same.
    expect(Math.hypot(at.x - between.x, at.y - between.y)).toBeLessThan(250);
  });

  it('is beside all things, one after the other', () => {
    const places: Record<string, Point> = { a: { x: 0, y: 0 }, b: { x: 400, y: 0 } };
    for (let index = 0; index < 30; index += 1) places[`n${index}`] = freePlace(scene(places, [['a', 'b']]), { x: 200, y: 0 });
    const all = Object.values(places);
    const meet = all.flatMap((one, index) => all.slice(index + 1).filter((other) => Math.abs(one.x - other.x) < SIZE.width && Math.abs(one.y - other.y) < SIZE.height));
    expect(meet).toEqual([]);
  });
});

it('a line that ends before a box, or runs beside it, doesn’t pass it', () => {
  const box = { x: 0, y: 0 };
  expect(passes({ x: -300, y: 0 }, { x: 300, y: 0 }, box)).toBe(true);
  expect(passes({ x: -300, y: 0 }, { x: -100, y: 0 }, box)).toBe(false);
  expect(passes({ x: -300, y: 40 }, { x: 300, y: 40 }, box)).toBe(false);
  expect(passes({ x: -100, y: -80 }, { x: -40, y: 100 }, box)).toBe(true);
  expect(passes({ x: -200, y: 0 }, { x: 0, y: 200 }, box)).toBe(false);
});
