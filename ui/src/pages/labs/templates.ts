// What a new lab begins with.
export interface Template {
  id: string;
  title: string;
  lead: string;
  text: (name: string) => string;
}

export const templates: readonly Template[] = [
  {
    id: 'cable', title: 'Two nodes on a cable', lead: 'The smallest lab. It runs anywhere: nodes are network namespaces.',
    text: (name) => `name: ${name}
nodes:
  - { name: left, position: { x: 0, y: 0 } }
  - { name: right, position: { x: 320, y: 0 } }
links:
  - endpoints:
      - { at: "left:eth0", addresses: [10.0.0.1/24] }
      - { at: "right:eth0", addresses: [10.0.0.2/24] }
checks:
  - { from: left, ping: right }
`,
  },
  {
    id: 'router', title: 'A router between two networks', lead: 'Two hosts on one network, one on another, and a router that forwards between them.',
    text: (name) => `name: ${name}
networks:
  - { name: lan, position: { x: 240, y: 0 } }
  - { name: wan, position: { x: 720, y: 0 } }
nodes:
  - { name: h1, routes: [{ to: default, via: 10.0.0.1 }], position: { x: 0, y: 0 } }
  - { name: h2, routes: [{ to: default, via: 10.0.0.1 }], position: { x: 240, y: 130 } }
  - { name: r1, forwarding: true, position: { x: 480, y: 0 } }
  - { name: far, routes: [{ to: default, via: 10.9.0.1 }], position: { x: 960, y: 0 } }
links:
  - endpoints: [{ at: "h1:eth0", addresses: [10.0.0.11/24] }, lan]
  - endpoints: [{ at: "h2:eth0", addresses: [10.0.0.12/24] }, lan]
  - endpoints: [{ at: "r1:eth0", addresses: [10.0.0.1/24] }, lan]
  - endpoints: [{ at: "r1:eth1", addresses: [10.9.0.1/24] }, wan]
    impairment: { rate_kbit: 10000 }
  - endpoints: [{ at: "far:eth0", addresses: [10.9.0.2/24] }, wan]
checks:
  - { from: h1, ping: far }
`,
  },
  {
    id: 'hundred', title: 'A hundred nodes', lead: 'A hundred namespaces on one network, written as one.',
    text: (name) => `name: ${name}
networks:
  - name: lan
nodes:
  # {n} is the number of the copy.
  - name: n{n}
    count: 100
links:
  - count: 100
    endpoints:
      - { at: "n{n}:eth0", addresses: ["10.0.0.{n}/24"] }
      - lan
checks:
  - { from: n1, ping: n100 }
`,
  },
  { id: 'empty', title: 'Nothing', lead: 'An empty canvas.', text: (name) => `name: ${name}\n` },
];
