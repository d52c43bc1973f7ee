// What a document draws: nodes, networks and the links between them, each with a place.
import type { Entry, Read, Values } from './document';
import { place } from './layout';

export type Kind = 'namespace' | 'container' | 'machine';
export interface Point {
  x: number;
  y: number;
}
export interface Thing {
  /** `node/r1`, `network/lan`. */
  id: string;
  name: string;
  type: 'node' | 'network';
  /** Of a node what it is; of a network `bridge`, `vxlan`, `device`. */
  kind: Kind | 'bridge' | 'vxlan' | 'device';
  /** The image, the disk, the device. */
  detail: string;
  /** Its own settings, with those of its group. */
  value: Values;
  entry: Entry;
  position: Point;
  /** Whether the document says where it is. */
  placed: boolean;
}
export interface End {
  /** Id of the node or network. */
  thing: string;
  /** `r1:eth0`, or the network's name. */
  at: string;
  node: string | null;
  port: string;
  addresses: string[];
  value: Values;
}
export interface Link {
  /** Both ends, whichever comes first in the document: `r1:eth0 – lan`. */
  id: string;
  ends: [End, End];
  state: 'up' | 'down';
  mtu: number | undefined;
  impairment: Impairment;
  value: Values;
  entry: Entry;
  /** Which one it is of those between the same two, and how many there are. */
  nth: number;
  of: number;
}
/** The end by which what acts on a link names it: an interface, whichever end the document writes first. */
export const nodeEnd = (link: Link) => link.ends.find((end) => end.node)?.at ?? link.ends[0].at;
export interface Impairment {
  delay_ms?: number;
  jitter_ms?: number;
  loss_percent?: number;
  duplicate_percent?: number;
  rate_kbit?: number;
}
export interface Scene {
  things: Thing[];
  links: Link[];
  byId: Map<string, Thing>;
  linkById: Map<string, Link>;
}

const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** A link's end as documents write it: `r1:eth0`, `lan`, or a map. */
export function endOf(given: unknown): End {
  const value: Values = isObject(given) ? given : text(given).includes(':') ? { at: text(given) } : { network: text(given) };
  const at = text(value.at);
  const colon = at.indexOf(':');
  const addresses = Array.isArray(value.addresses) ? value.addresses.map(text) : [];
  if (!at) return { thing: `network/${text(value.network)}`, at: text(value.network), node: null, port: '', addresses, value };
  const node = colon < 0 ? at : at.slice(0, colon);
  return { thing: `node/${node}`, at, node, port: colon < 0 ? '' : at.slice(colon + 1), addresses, value };
}

function kindOf(value: Values): Kind {
  if (value.kind === 'namespace' || value.kind === 'container' || value.kind === 'machine') return value.kind;
  return value.image ? 'container' : value.disk || value.kernel ? 'machine' : 'namespace';
}

function positionOf(value: Values): Point | null {
  const at = value.position;
  return isObject(at) && typeof at.x === 'number' && typeof at.y === 'number' ? { x: at.x, y: at.y } : null;
}

/** What a link is called: interfaces by their names, the network last. Plans may name its ends the other way round. */
export function linkId(ends: readonly string[]): string {
  return [...ends].sort((a, b) => Number(b.includes(':')) - Number(a.includes(':')) || (a < b ? -1 : 1)).join(' – ');
}

/** Draws a document. `before`: where things without a place were drawn last, so that nothing jumps while one edits. */
export function sceneOf(document: Read, before?: Scene): Scene {
  const things: Thing[] = [];
  const byId = new Map<string, Thing>();
  const add = (thing: Thing) => {
    if (!thing.name || byId.has(thing.id)) return;
    byId.set(thing.id, thing);
    things.push(thing);
  };
  for (const entry of document.entries.networks) {
    const { value } = entry;
    const name = text(value.name);
    const kind = value.kind === 'vxlan' || value.kind === 'device' ? value.kind : 'bridge';
    const vxlan = isObject(value.vxlan) ? value.vxlan : {};
    const detail = kind === 'device' ? text(value.device) : kind === 'vxlan' ? `VNI ${text(vxlan.id)}` : '';
    add({ id: `network/${name}`, name, type: 'network', kind, detail, value, entry, position: positionOf(value) ?? { x: 0, y: 0 }, placed: positionOf(value) !== null });
  }
  for (const entry of document.entries.nodes) {
    const value = { ...(document.groups.get(text(entry.value.group)) ?? {}), ...entry.value };
    const name = text(value.name);
    const detail = text(value.image) || text(value.disk) || text(value.kernel);
    add({ id: `node/${name}`, name, type: 'node', kind: kindOf(value), detail, value, entry, position: positionOf(value) ?? { x: 0, y: 0 }, placed: positionOf(value) !== null });
  }
  const links: Link[] = [];
  const linkById = new Map<string, Link>();
  const pairs = new Map<string, Link[]>();
  for (const entry of document.entries.links) {
    const ends = Array.isArray(entry.value.endpoints) ? entry.value.endpoints.map(endOf) : [];
    if (ends.length !== 2 || !ends.every((end) => byId.has(end.thing))) continue;
    const [a, b] = ends as [End, End];
    const id = linkId([a.at, b.at]);
    if (linkById.has(id)) continue;
    const impairment = isObject(entry.value.impairment) ? (entry.value.impairment as Impairment) : {};
    const link: Link = {
      id, ends: [a, b], state: entry.value.state === 'down' ? 'down' : 'up', mtu: typeof entry.value.mtu === 'number' ? entry.value.mtu : undefined,
      impairment, value: entry.value, entry, nth: 0, of: 1,
    };
    links.push(link);
    linkById.set(id, link);
    const pair = [a.thing, b.thing].sort().join('|');
    pairs.set(pair, [...(pairs.get(pair) ?? []), link]);
  }
  for (const group of pairs.values()) group.forEach((link, nth) => Object.assign(link, { nth, of: group.length }));
  const scene = { things, links, byId, linkById };
  for (const thing of things) {
    const old = before?.byId.get(thing.id);
    if (!thing.placed && old) Object.assign(thing, { position: old.position });
  }
  place(scene, (thing) => thing.placed || before?.byId.has(thing.id) === true);
  return scene;
}

/** The next interface of a node that nothing is plugged into. */
export function freePort(scene: Scene, node: string): string {
  const taken = new Set(scene.links.flatMap((link) => link.ends.filter((end) => end.node === node).map((end) => end.port)));
  const managed = scene.byId.get(`node/${node}`)?.value.management === true;
  for (let number = managed ? 1 : 0; ; number += 1) if (!taken.has(`eth${number}`)) return `eth${number}`;
}

/** A name that nothing has yet: `host1`, `host2`. */
export function freeName(scene: Scene, stem: string, type: Thing['type']): string {
  for (let number = 1; ; number += 1) if (!scene.byId.has(`${type}/${stem}${number}`)) return `${stem}${number}`;
}

/** What is done to packets, in few words; empty: nothing. */
export function impairmentWords(of: Impairment): string {
  const words: string[] = [];
  if (of.delay_ms) words.push(`${of.delay_ms} ms${of.jitter_ms ? ` ± ${of.jitter_ms}` : ''}`);
  else if (of.jitter_ms) words.push(`± ${of.jitter_ms} ms`);
  if (of.loss_percent) words.push(`${of.loss_percent} % lost`);
  if (of.duplicate_percent) words.push(`${of.duplicate_percent} % twice`);
  if (of.rate_kbit) words.push(of.rate_kbit >= 1_000 ? `${of.rate_kbit / 1_000} Mbit/s` : `${of.rate_kbit} kbit/s`);
  return words.join(' · ');
}
