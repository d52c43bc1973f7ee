// Where things are drawn that have no place yet: networks and well-connected nodes in the middle, what hangs on them around.
// The same document is always drawn the same.
import type { Point, Scene, Thing } from './scene';

/** How large things are drawn. */
export const SIZE = { width: 148, height: 52 };
const GAP = { x: 190, y: 120 };
/** Steps of pulling and pushing; less for many things, which would take long. */
const STEPS = 220;

/** Whether two things are drawn over one another, or nearly. */
export const overlaps = (a: Point, b: Point) => Math.abs(a.x - b.x) < SIZE.width + 24 && Math.abs(a.y - b.y) < SIZE.height + 28;
const snapped = (at: Point): Point => ({ x: Math.round(at.x / 10) * 10, y: Math.round(at.y / 10) * 10 });

/** Places what isn't; what is stays. */
export function place(scene: Scene, stays: (thing: Thing) => boolean) {
  const free = scene.things.filter((thing) => !stays(thing));
  if (!free.length) return;
  const neighbours = new Map<string, string[]>();
  for (const { ends: [a, b] } of scene.links) {
    neighbours.set(a.thing, [...(neighbours.get(a.thing) ?? []), b.thing]);
    neighbours.set(b.thing, [...(neighbours.get(b.thing) ?? []), a.thing]);
  }
  const degree = (thing: Thing) => neighbours.get(thing.id)?.length ?? 0;
  const fixed = scene.things.filter(stays);
  if (fixed.length === 0 && free.length > 40) rings(scene, free, degree, neighbours);
  else if (fixed.length === 0) springs(scene, free);
  else for (const thing of free) beside(thing, scene, fixed, neighbours);
  for (const thing of free) thing.position = snapped(thing.position);
}

/** A new thing beside its neighbours, or at the edge, where nothing is. */
function beside(thing: Thing, scene: Scene, fixed: Thing[], neighbours: Map<string, string[]>) {
  const near = (neighbours.get(thing.id) ?? []).map((id) => scene.byId.get(id)!).filter((one) => fixed.includes(one));
  const around = near.length ? near : fixed;
  const middle = { x: mean(around.map((one) => one.position.x)), y: mean(around.map((one) => one.position.y)) };
  for (let turn = 1; turn < 400; turn += 1) {
    const angle = turn * 2.4;
    const far = 60 + 26 * Math.sqrt(turn) * 2;
    const at = { x: middle.x + Math.cos(angle) * far * 1.5, y: middle.y + Math.sin(angle) * far };
    if (fixed.every((one) => !overlaps(one.position, at))) {
      thing.position = at;
      break;
    }
  }
  fixed.push(thing);
}

/** Few things: those that are connected pull each other, all push each other away. */
function springs(scene: Scene, free: Thing[]) {
  const many = free.length;
  const radius = Math.max(120, (many * 60) / Math.PI);
  free.forEach((thing, at) => {
    const angle = (at / many) * 2 * Math.PI - Math.PI / 2;
    thing.position = many === 1 ? { x: 0, y: 0 } : { x: Math.cos(angle) * radius * 1.5, y: Math.sin(angle) * radius };
  });
  const moves = new Map(free.map((thing) => [thing.id, { x: 0, y: 0 }]));
  for (let step = 0; step < STEPS; step += 1) {
    const heat = 40 * (1 - step / STEPS) + 1;
    for (const move of moves.values()) move.x = move.y = 0;
    free.forEach((a, at) => {
      for (const b of free.slice(at + 1)) {
        const x = (a.position.x - b.position.x) / 1.5 || 0.01 * (at + 1);
        const y = a.position.y - b.position.y || 0.01;
        const far = Math.max(20, Math.hypot(x, y));
        const push = 22_000 / (far * far);
        moves.get(a.id)!.x += (x / far) * push * 1.5;
        moves.get(a.id)!.y += (y / far) * push;
        moves.get(b.id)!.x -= (x / far) * push * 1.5;
        moves.get(b.id)!.y -= (y / far) * push;
      }
    });
    for (const { ends: [a, b] } of scene.links) {
      const [one, other] = [scene.byId.get(a.thing)!, scene.byId.get(b.thing)!];
      if (one === other) continue;
      const x = (one.position.x - other.position.x) / 1.5;
      const y = one.position.y - other.position.y;
      const far = Math.max(1, Math.hypot(x, y));
      const pull = (far - 130) * 0.12;
      for (const [thing, sign] of [[one, -1], [other, 1]] as const) {
        const move = moves.get(thing.id);
        if (!move) continue;
        move.x += (sign * x * pull * 1.5) / far;
        move.y += (sign * y * pull) / far;
      }
    }
    for (const thing of free) {
      const move = moves.get(thing.id)!;
      const far = Math.hypot(move.x, move.y);
      const by = far > heat ? heat / far : 1;
      thing.position = { x: thing.position.x + move.x * by, y: thing.position.y + move.y * by };
    }
  }
  // Nothing covers anything.
  for (let round = 0; round < 40; round += 1) {
    let moved = false;
    free.forEach((a, at) => {
      for (const b of free.slice(at + 1)) {
        if (!overlaps(a.position, b.position)) continue;
        moved = true;
        const down = a.position.y <= b.position.y ? 1 : -1;
        a.position = { x: a.position.x - 4, y: a.position.y - 16 * down };
        b.position = { x: b.position.x + 4, y: b.position.y + 16 * down };
      }
    });
    if (!moved) break;
  }
}

/** Many things: rows above and below what they hang on. */
function rings(scene: Scene, free: Thing[], degree: (thing: Thing) => number, neighbours: Map<string, string[]>) {
  const hubs = free.filter((thing) => degree(thing) > 4).sort((a, b) => degree(b) - degree(a));
  const placed = new Set<string>();
  let top = 0;
  const block = (hub: Thing | null, members: Thing[]) => {
    const columns = Math.max(4, Math.ceil(Math.sqrt(members.length * 1.9)));
    const above = Math.ceil(members.length / columns / 2);
    members.forEach((thing, at) => {
      const row = Math.floor(at / columns);
      const shift = hub && row >= above ? 1 : 0;
      thing.position = { x: (at % columns) * GAP.x, y: top + (row + shift) * GAP.y };
      placed.add(thing.id);
    });
    const rows = Math.ceil(members.length / columns);
    if (hub) {
      hub.position = { x: ((Math.min(columns, members.length) - 1) / 2) * GAP.x, y: top + above * GAP.y };
      placed.add(hub.id);
    }
    top += (rows + (hub ? 1 : 0) + 1) * GAP.y;
  };
  for (const hub of hubs) {
    if (placed.has(hub.id)) continue;
    placed.add(hub.id);
    const members = (neighbours.get(hub.id) ?? []).map((id) => scene.byId.get(id)!).filter((thing) => free.includes(thing) && !placed.has(thing.id));
    block(hub, [...new Set(members)]);
  }
  const rest = free.filter((thing) => !placed.has(thing.id));
  if (rest.length) block(null, rest);
}

const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / (values.length || 1);
