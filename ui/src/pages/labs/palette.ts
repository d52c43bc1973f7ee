// What can be put on the canvas.
import type { Desk } from './desk.svelte';
import { middleOf, passes } from './geometry';
import { overlaps } from './layout';
import { freeName, type Point, type Scene, type Thing } from './scene';

export interface Piece {
  /** What is dragged. */
  word: string;
  label: string;
  kind: Thing['kind'];
  hint: string;
}

export const pieces: readonly Piece[] = [
  { word: 'namespace', label: 'Host', kind: 'namespace', hint: 'A network namespace with this machine’s own programs' },
  { word: 'router', label: 'Router', kind: 'namespace', hint: 'A namespace that forwards packets' },
  { word: 'container', label: 'Container', kind: 'container', hint: 'A container of an image' },
  { word: 'machine', label: 'Machine', kind: 'machine', hint: 'A virtual machine' },
  { word: 'bridge', label: 'Network', kind: 'bridge', hint: 'A bridge of this machine' },
  { word: 'vxlan', label: 'VXLAN', kind: 'vxlan', hint: 'A network that reaches another machine' },
  { word: 'device', label: 'Host device', kind: 'device', hint: 'A network with a device of this machine in it' },
];

/** Images that the lab has, or that are there: a container of each can be drawn. */
export function imagesOf(desk: Desk): string[] {
  const drawn = desk.scene.things.filter((one) => one.kind === 'container').map((one) => one.detail);
  const there = (desk.actual?.docker ?? []).map((one) => one.image ?? '');
  return [...new Set([...drawn, ...there])].filter(Boolean).sort();
}

/** The place nearest to a point where nothing stands and no link passes, for what is put there by the keyboard. */
export function freePlace(scene: Pick<Scene, 'things' | 'links' | 'byId'>, near: Point): Point {
  const lines = scene.links.map(({ ends }) => ends.map((end) => scene.byId.get(end.thing))).filter((ends) => ends.every(Boolean)).map((ends) => ends.map((one) => middleOf(one!.position)) as [Point, Point]);
  const alone = (at: Point) => scene.things.every((one) => !overlaps(one.position, at));
  const free = (at: Point) => alone(at) && !lines.some(([a, b]) => passes(a, b, middleOf(at)));
  // Around the point, ever farther; where links are everywhere, beside all things at least.
  const around = Array.from({ length: 1500 }, (_, turn) => {
    const [angle, far] = [turn * 2.4, 20 * Math.sqrt(turn)];
    return { x: Math.round((near.x + Math.cos(angle) * far * 1.5) / 10) * 10, y: Math.round((near.y + Math.sin(angle) * far) / 10) * 10 };
  });
  return around.find(free) ?? around.find(alone) ?? near;
}

/** Puts one there; answers its id. */
export function put(desk: Desk, word: string, at: Point): string {
  const [kind, image] = word.startsWith('image:') ? ['container', word.slice(6)] : [word, 'debian:stable-slim'];
  // Beside what stands there already.
  let position = at;
  while (desk.scene.things.some((one) => Math.abs(one.position.x - position.x) < 20 && Math.abs(one.position.y - position.y) < 20)) position = { x: position.x + 30, y: position.y + 30 };
  const network = kind === 'bridge' || kind === 'vxlan' || kind === 'device';
  const stem = { namespace: 'h', router: 'r', container: 'c', machine: 'vm', bridge: 'lan', vxlan: 'wan', device: 'uplink' }[kind as string] ?? 'n';
  const name = freeName(desk.scene, stem, network ? 'network' : 'node');
  const own: Record<string, object> = {
    router: { forwarding: true }, container: { image }, machine: { disk: 'debian.qcow2' }, vxlan: { kind: 'vxlan', vxlan: { id: 100, remote: '192.0.2.2' } }, device: { kind: 'device', device: 'eth1' },
  };
  desk.add(network ? 'network' : 'node', { name, ...own[kind as string], position });
  return `${network ? 'network' : 'node'}/${name}`;
}
