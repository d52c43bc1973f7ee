// Documents are edited as text: comments stay, copies are written out when one of them is changed, and JSON stays JSON.
import { describe, expect, it } from 'vitest';
import { Draft, placeOf, read, valueOf } from './document';
import { nodeEnd, sceneOf } from './scene';

const text = `# my lab
name: demo
nodes:
  # the first one
  - name: h1
  - name: r{n} # routers
    count: 3
    forwarding: true
links:
  - count: 2
    endpoints:
      - { at: "r{n}:eth0", addresses: ["10.0.{n}.1/24"] }
      - "r{n+1}:eth1"
checks:
  - { from: r1, ping: r2 }
`;

describe('a document', () => {
  it('is read with its copies made', () => {
    const document = read(text);
    expect(document.entries.nodes.map((one) => one.value.name)).toEqual(['h1', 'r1', 'r2', 'r3']);
    const scene = sceneOf(document);
    expect(scene.links.map((link) => link.id)).toEqual(['r1:eth0 – r2:eth1', 'r2:eth0 – r3:eth1']);
    expect(scene.links[1]!.ends[0].addresses).toEqual(['10.0.2.1/24']);
  });

  it('names a link by an interface, whichever end is written first', () => {
    const scene = sceneOf(read('name: demo\nnetworks: [{ name: lan }]\nnodes: [{ name: h1 }]\nlinks:\n  - endpoints: [lan, { at: "h1:eth0" }]\n  - endpoints: ["h1:eth1", lan]\n'));
    expect(scene.links.map(nodeEnd)).toEqual(['h1:eth0', 'h1:eth1']);
  });

  it('keeps comments and what nobody touched', () => {
    const [h1] = read(text).entries.nodes;
    const draft = new Draft(text);
    draft.set('nodes', h1!, ['position'], { x: 10, y: 20 });
    expect(draft.text).toContain('# my lab');
    expect(draft.text).toContain('# the first one');
    expect(draft.text).toContain('position: { x: 10, y: 20 }');
    expect(draft.text).toContain('count: 3');
  });

  it('writes copies out when one of them is changed', () => {
    const nodes = read(text).entries.nodes;
    const draft = new Draft(text);
    draft.set('nodes', nodes[2]!, ['position'], { x: 1, y: 2 });
    draft.set('nodes', nodes[3]!, ['position'], { x: 3, y: 4 });
    expect(draft.text).not.toContain('count: 3');
    expect(valueOf(draft.text).nodes).toEqual([
      { name: 'h1' }, { name: 'r1', forwarding: true }, { name: 'r2', forwarding: true, position: { x: 1, y: 2 } }, { name: 'r3', forwarding: true, position: { x: 3, y: 4 } },
    ]);
  });

  it('loses an entry, one of its copies, and the checks that name it', () => {
    const document = read(text);
    const draft = new Draft(text);
    draft.remove('links', [document.entries.links[1]!]);
    draft.remove('nodes', [document.entries.nodes[0]!, document.entries.nodes[3]!]);
    draft.drop('checks', (check) => check.from === 'r1');
    const value = valueOf(draft.text);
    expect((value.nodes as { name: string }[]).map((one) => one.name)).toEqual(['r1', 'r2']);
    expect((value.links as unknown[]).length).toBe(1);
    expect(value.checks).toBeUndefined();
  });

  it('may be JSON, and stays it', () => {
    const draft = new Draft('{ "name": "demo", "nodes": [{ "name": "a" }] }');
    draft.add('nodes', { name: 'b' });
    expect(JSON.parse(draft.text)).toEqual({ name: 'demo', nodes: [{ name: 'a' }, { name: 'b' }] });
  });

  it('begins with nothing', () => {
    const draft = new Draft('name: demo\n');
    draft.add('nodes', { name: 'a', position: { x: 0, y: 0 } });
    expect(draft.text).toBe('name: demo\nnodes:\n  - name: a\n    position: { x: 0, y: 0 }\n');
  });

  it('says where it can’t be read', () => {
    expect(read('name: demo\nnodes: [\n').fault).toMatchObject({ line: 3 });
    expect(read('- a').fault).toMatchObject({ line: 1, column: 1 });
    expect(placeOf(text, '/nodes/1/count')).toEqual({ line: 7, column: 12 });
  });
});
