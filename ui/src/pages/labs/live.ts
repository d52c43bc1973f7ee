// What is there of a lab now, beside what its document says: nodes that run or don't, links that are up, down, missing, changed, and
// links that nobody's document has.
import { linkId, type Scene, type Link } from './scene';

export interface Difference {
  action: 'add' | 'change' | 'replace' | 'start' | 'remove';
  kind: string;
  name: string;
  why: string;
}
interface Interface {
  at: string;
  up: boolean;
  carrier?: boolean;
  kind: string;
  mtu: number;
  peer: string | null;
  bridge: string | null;
  addresses: string[];
}
interface Unit {
  name: string;
  status: string;
  health?: string;
  image?: string | null;
}
export interface Actual {
  net: { namespaces: { name: string; interfaces: Interface[] }[]; links: Interface[] };
  docker: Unit[];
  qemu: Unit[];
  unknown: Record<string, string>;
}
export interface Plan {
  same: boolean;
  summary: string;
  differences: Difference[];
}

export type NodeState = 'new' | 'running' | 'starting' | 'unhealthy' | 'stopped' | 'missing' | 'unknown';
export type LinkState = 'new' | 'up' | 'down' | 'missing' | 'changed' | 'unknown';
export interface State<S extends string> {
  state: S;
  /** Why, where there is more to say. */
  why: string;
}
/** A link that no document has: an interface, and where it leads, if that is known. */
export interface Discovered {
  at: string;
  node: string | null;
  /** The thing that it leads to, by its id; null: nobody knows. */
  to: string | null;
  words: string;
}
export interface Live {
  nodes: Map<string, State<NodeState>>;
  links: Map<string, State<LinkState>>;
  discovered: Discovered[];
}

export const nodeWords: Record<NodeState, string> = {
  new: 'not deployed', running: 'running', starting: 'starting', unhealthy: 'unhealthy', stopped: 'stopped', missing: 'missing', unknown: 'not known',
};
export const linkWords: Record<LinkState, string> = { new: 'not deployed', up: 'up', down: 'down', missing: 'missing', changed: 'changed', unknown: 'not known' };

/** The state of everything that is drawn. `deployed` is the scene of the document that was deployed last; null: none was. */
export function liveOf(scene: Scene, deployed: Scene | null, actual: Actual | null, plan: Plan | null): Live {
  const nodes = new Map<string, State<NodeState>>();
  const links = new Map<string, State<LinkState>>();
  const unknown = actual?.unknown ?? {};
  const spaces = new Map((actual?.net.namespaces ?? []).map((space) => [space.name, space]));
  const hosts = new Map((actual?.net.links ?? []).map((link) => [link.at, link]));
  for (const thing of scene.things) {
    const was = deployed?.byId.get(thing.id);
    if (!was || !actual) {
      nodes.set(thing.id, { state: 'new', why: '' });
      continue;
    }
    if (thing.type === 'network') {
      nodes.set(thing.id, unknown.net ? { state: 'unknown', why: unknown.net } : { state: hosts.has(thing.name) ? 'running' : 'missing', why: '' });
      continue;
    }
    nodes.set(thing.id, was.kind === 'namespace' ? space(thing.name) : unit(was.kind === 'container' ? actual.docker : actual.qemu, thing.name, unknown[was.kind === 'container' ? 'docker' : 'qemu']));
  }
  function space(name: string): State<NodeState> {
    if (unknown.net) return { state: 'unknown', why: unknown.net };
    return { state: spaces.has(name) ? 'running' : 'missing', why: '' };
  }
  for (const link of scene.links) {
    const was = deployed?.linkById.get(link.id);
    links.set(link.id, !was || !actual ? { state: 'new', why: '' } : unknown.net ? { state: 'unknown', why: unknown.net } : stateOf(was, spaces, hosts, plan));
  }
  return { nodes, links, discovered: actual && deployed ? found(scene, deployed, spaces, hosts, plan) : [] };
}

function unit(all: Unit[], name: string, trouble: string | undefined): State<NodeState> {
  if (trouble) return { state: 'unknown', why: trouble };
  const one = all.find((unit) => unit.name === name);
  if (!one || one.status === 'missing') return { state: 'missing', why: '' };
  if (one.status !== 'running') return { state: 'stopped', why: one.status };
  if (one.health === 'unhealthy') return { state: 'unhealthy', why: 'its health command fails' };
  if (one.health === 'starting') return { state: 'starting', why: 'it isn’t healthy yet' };
  return { state: 'running', why: '' };
}

type Spaces = Map<string, { interfaces: Interface[] }>;
type Hosts = Map<string, Interface>;

function stateOf(link: Link, spaces: Spaces, hosts: Hosts, plan: Plan | null): State<LinkState> {
  const ends = link.ends.filter((end) => end.node);
  const actual = ends.map((end) => spaces.get(end.node!)?.interfaces.find((one) => one.at === end.at) ?? hosts.get(end.at));
  const mine = (plan?.differences ?? []).filter((one) => one.kind === 'link' && linkId(one.name.split(' – ')) === link.id);
  if (mine.some((one) => one.action === 'add') || actual.some((one) => !one)) return { state: 'missing', why: 'it isn’t there any more' };
  const why = mine.map((one) => one.why).concat((plan?.differences ?? []).filter((one) => one.kind !== 'link' && ends.some((end) => one.name === end.at || one.name.startsWith(`${end.at} `))).map((one) => one.why));
  const cut = ends.some((end) => hosts.get(`${end.at}@host`)?.up === false) || actual.some((one) => one && !one.up);
  if (link.state === 'down' && cut) return { state: 'down', why: '' };
  if (why.length) return { state: cut ? 'down' : 'changed', why: why.join('; ') };
  return { state: cut ? 'down' : 'up', why: '' };
}

function found(scene: Scene, deployed: Scene, spaces: Spaces, hosts: Hosts, plan: Plan | null): Discovered[] {
  // What the deployed document has, however it is drawn now, was made by a run.
  const known = new Set(deployed.links.flatMap((link) => link.ends.map((end) => end.at)));
  const extra = new Set((plan?.differences ?? []).filter((one) => one.kind === 'link' && one.action === 'remove').flatMap((one) => one.name.split(' – ')));
  const all = [...[...spaces].flatMap(([node, space]) => space.interfaces.map((one) => ({ node, one }))), ...[...hosts.values()].filter((one) => one.at.includes(':')).map((one) => ({ node: one.at.split(':')[0]!, one }))];
  const seen = new Set<string>();
  const list: Discovered[] = [];
  for (const { node, one } of all) {
    const at = one.at.replace(/@host$/, '');
    if (known.has(at) || !extra.has(at) || seen.has(at) || !scene.byId.has(`node/${node}`)) continue;
    seen.add(at);
    const peer = one.peer?.replace(/@host$/, '') ?? null;
    if (peer && peer !== at) seen.add(peer);
    const other = peer && peer !== at ? `node/${peer.split(':')[0]}` : one.bridge ? `network/${one.bridge}` : null;
    const to = other && other !== `node/${node}` && scene.byId.has(other) ? other : null;
    list.push({ at, node, to, words: `${at}${peer && peer !== at ? ` – ${peer}` : one.bridge ? ` – ${one.bridge}` : ''}: no run has made it` });
  }
  return list;
}

/** A document but for what is done to one link's cable and packets, to see whether all else is as it was. */
export function withoutLink(document: unknown, at: unknown): string {
  const { links = [], ...rest } = document as { links?: { endpoints: { at?: string }[]; state?: unknown; impairment?: unknown }[] };
  const others = links.map((link) => (link.endpoints.some((end) => end.at === at) ? { ...link, state: undefined, impairment: undefined, endpoints: link.endpoints.map((end) => ({ ...end, impairment: undefined })) } : link));
  return JSON.stringify({ ...rest, links: others });
}

/** What a document was, in few characters, to see whether it is still the same. */
export function digest(value: unknown): string {
  const text = JSON.stringify(value);
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0');
}
