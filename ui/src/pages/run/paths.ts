// Where steps stand: `12` is the thirteenth call of the run itself, `7/b1/3` the fourth in the second branch of step 7.

/** Compares paths as the run went: by their numbers, a parallel call before its branches. */
export function comparePaths(a: string, b: string): number {
  const left = a.split('/');
  const right = b.split('/');
  for (let at = 0; at < left.length && at < right.length; at += 1) {
    const one = left[at]!;
    const other = right[at]!;
    if (one === other) continue;
    const difference = Number(one.replace(/^\D+/, '')) - Number(other.replace(/^\D+/, ''));
    return difference || (one < other ? -1 : 1);
  }
  return left.length - right.length;
}

/** The branch that a step or an output is in: empty for the run itself, else with a slash at its end. */
export const laneOf = (path: string) => path.slice(0, path.lastIndexOf('/') + 1);

/** How deep in branches. */
export const depthOf = (path: string) => (path.match(/\/[a-z]\d+\//g) ?? []).length;

/** `branch 2`, for a lane's last part; undefined in the run itself. */
export function branchName(path: string): string | undefined {
  const last = /\/([a-z])(\d+)\/[^/]*$/.exec(path);
  if (!last) return undefined;
  return last[1] === 'b' ? `branch ${Number(last[2]) + 1}` : last[1] === 'u' ? 'undo' : `${last[1]}${last[2]}`;
}
