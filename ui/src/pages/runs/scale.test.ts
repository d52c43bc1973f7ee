// Where the points of the durations are.
import { describe, expect, it } from 'vitest';
import { scaleOf } from './scale';

describe('scale', () => {
  it('keeps all points inside, the longest on top', () => {
    const points = [{ at: 0, took: 5 }, { at: 50, took: 900 }, { at: 100, took: 3_600_000 }];
    const scale = scaleOf(points);
    for (const { at, took } of points) for (const place of [scale.x(at), scale.y(took)]) expect(place >= 0 && place <= 1).toBe(true);
    expect(scale.y(3_600_000)).toBeGreaterThan(scale.y(900));
    expect(scale.ticks).toContain(1_000);
  });
  it('has places for one point, and for no time at all', () => {
    const scale = scaleOf([{ at: 7, took: 0 }]);
    expect([scale.x(7), scale.y(0)]).toEqual([0.5, 0.5]);
    expect(scaleOf([]).ticks.length).toBeGreaterThan(0);
  });
});
