// What can be put on the canvas.
import type { Desk } from './desk.svelte';
import { freeName, type Point, type Thing } from './scene';

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
