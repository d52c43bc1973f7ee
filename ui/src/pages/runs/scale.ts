// Places of points: time from left to right, durations upwards, each ten times as long as far away as the one before.

const STEPS = [1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 86_400_000, 864_000_000];

export interface Scale {
  /** From 0 to 1. */
  x: (at: number) => number;
  y: (took: number) => number;
  /** Durations with a line of their own. */
  ticks: number[];
  from: number;
  to: number;
  least: number;
  most: number;
}

export function scaleOf(points: readonly { at: number; took: number }[]): Scale {
  let [from, to, least, most] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { at, took } of points) {
    from = Math.min(from, at);
    to = Math.max(to, at);
    least = Math.min(least, took);
    most = Math.max(most, took);
  }
  if (!points.length) [from, to, least, most] = [0, 0, 0, 0];
  const log = (took: number) => Math.log10(Math.max(took, 1));
  // A little room on both sides; and a whole power of ten at least, so that small differences don't look big.
  const middle = (log(least) + log(most)) / 2;
  const half = Math.max((log(most) - log(least)) / 2 + 0.15, 0.5);
  const [low, high] = [middle - half, middle + half];
  return {
    x: (at) => (to > from ? (at - from) / (to - from) : 0.5),
    y: (took) => (log(took) - low) / (high - low),
    ticks: STEPS.filter((step) => log(step) >= low && log(step) <= high),
    from, to, least, most,
  };
}
