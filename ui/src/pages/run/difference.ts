// What differs between two texts, line by line: Myers' method, which finds the shortest change.

export interface DiffLine {
  kind: 'same' | 'removed' | 'added';
  text: string;
  /** Numbers in the first and the second text. */
  before?: number;
  after?: number;
}
/** Changes beyond which a text counts as another one altogether: the work grows with their square. */
const BOUND = 2_000;

export function difference(first: string, second: string): DiffLine[] {
  const a = first.split('\n');
  const b = second.split('\n');
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const found: DiffLine[] = [];
  const same = (from: number, to: number, shift: number) => {
    for (let at = from; at < to; at += 1) found.push({ kind: 'same', text: a[at]!, before: at + 1, after: at + 1 + shift });
  };
  same(0, start, 0);
  found.push(...middle(a.slice(start, a.length - end), b.slice(start, b.length - end), start));
  same(a.length - end, a.length, b.length - a.length);
  return found;
}

function middle(a: string[], b: string[], offset: number): DiffLine[] {
  const removed = (at: number): DiffLine => ({ kind: 'removed', text: a[at]!, before: at + 1 + offset });
  const added = (at: number): DiffLine => ({ kind: 'added', text: b[at]!, after: at + 1 + offset });
  const most = Math.min(a.length + b.length, BOUND);
  const reach = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let depth = 0; depth <= most; depth += 1) {
    trace.push(new Map(reach));
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      reach.set(k, x);
      if (x >= a.length && y >= b.length) return back(trace, a, b, removed, added, offset);
    }
  }
  return [...a.map((_, at) => removed(at)), ...b.map((_, at) => added(at))];
}

function back(
  trace: Map<number, number>[], a: string[], b: string[], removed: (at: number) => DiffLine, added: (at: number) => DiffLine, offset: number,
): DiffLine[] {
  const found: DiffLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let depth = trace.length - 1; depth >= 0 && (x > 0 || y > 0); depth -= 1) {
    const reach = trace[depth]!;
    const k = x - y;
    const down = k === -depth || (k !== depth && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const fromX = depth === 0 ? 0 : (reach.get(before) ?? 0);
    const fromY = depth === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY && x > 0 && y > 0 && a[x - 1] === b[y - 1]) {
      x -= 1;
      y -= 1;
      found.push({ kind: 'same', text: a[x]!, before: x + 1 + offset, after: y + 1 + offset });
    }
    if (depth === 0) break;
    if (down) found.push(added((y -= 1)));
    else found.push(removed((x -= 1)));
  }
  return found.reverse();
}

/** Only what changed, with some lines around it; null stands for lines that were left out. */
export function shortened(lines: readonly DiffLine[], around = 3): (DiffLine | null)[] {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, at) => {
    if (line.kind !== 'same') near.fill(1, Math.max(0, at - around), at + around + 1);
  });
  const found: (DiffLine | null)[] = [];
  lines.forEach((line, at) => {
    if (near[at]) found.push(line);
    else if (found.at(-1) !== null) found.push(null);
  });
  return found;
}
