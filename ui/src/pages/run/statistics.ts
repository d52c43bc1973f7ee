// What is usual.

/** The middle one; null without any. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How a run that goes on stands to what it usually takes: `longer than usual`, `about 2 min left`, or nothing to say. */
export function pace(taken: number, usual: number | null): { late: boolean; left: number | null } {
  if (usual === null) return { late: false, left: null };
  return { late: taken > usual * 1.5, left: taken < usual ? usual - taken : null };
}
