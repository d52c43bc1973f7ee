// Signs of components, drawn for Windlass: what each does, in a few strokes of 24 by 24. They are nobody's logos.
export const glyphs: Record<string, string> = {
  cilium: 'M12 4v4M12 16v4M5 8l3.5 2M15.5 14l3.5 2M19 8l-3.5 2M8.5 14 5 16M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  'cert-manager': 'M6 4h12v9H6zM9 7h6M9 10h3M14 13v7l2-1.5 2 1.5v-7',
  flux: 'M4 8c4 0 4 4 8 4s4-4 8-4M4 14c4 0 4 4 8 4s4-4 8-4',
  crossplane: 'M4 7h16M4 12h16M4 17h16M8 4v16M16 4v16',
  'sealed-secrets': 'M4 7h16v11H4zM4 7l8 6 8-6M12 15v3',
  spire: 'M12 3l4 18H8zM9 15h6M10 9h4',
  'nats-jetstream': 'M4 5h16v11h-6l-4 4v-4H4zM8 9h8M8 12h5',
  openbao: 'M5 10h14v10H5zM8 10V7a4 4 0 0 1 8 0v3M12 14v3',
  keycloak: 'M8.5 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12.5 12H21M18 12v3M21 12v4',
  gitea: 'M7 4v16M7 14c6 0 10-2 10-6M7 4a1.5 1.5 0 1 1 0 .1M17 6.5a1.5 1.5 0 1 1 0 .1',
  powerdns: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c-5 5-5 13 0 18M12 3c5 5 5 13 0 18',
  'catalyst-platform': 'M4 5h16v12H4zM4 9h16M7 13h4M9 21h6M12 17v4',
  'cloudnative-pg': 'M5 7c0-4 14-4 14 0v10c0 4-14 4-14 0zM5 7c0 4 14 4 14 0M5 12c0 4 14 4 14 0',
  harbor: 'M12 4v16M8 8h8M4 13c0 9 16 9 16 0M12 4a1 1 0 1 1 0 .1',
  valkey: 'M13 3 5 13h6l-1 8 9-11h-6z',
  minio: 'M5 6h14l-2 14H7zM5 6c0-3 14-3 14 0M8.5 11h7',
  velero: 'M5 12a7 7 0 1 1 2 5M5 12l-2-2M5 12l3-2M12 8v5l3 2',
  'victoria-metrics': 'M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6',
  loki: 'M6 4h12v16H6zM9 8h6M9 11h6M9 14h4',
  grafana: 'M4 16l5-6 4 4 7-9M4 20h16M20 5v4M20 5h-4',
  kyverno: 'M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM8.5 12l2.5 2.5 4.5-5',
  falco: 'M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  'external-dns': 'M4 12a8 8 0 0 1 14-5M20 12a8 8 0 0 1-14 5M18 3v4h-4M6 21v-4h4',
  longhorn: 'M4 5h16v5H4zM4 14h16v5H4zM7 7.5h.1M7 16.5h.1M12 7.5h5M12 16.5h5',
};

/** Families in the order in which people look for them, and their hues. */
export const hues: Record<string, number> = { network: 205, security: 350, identity: 285, delivery: 25, data: 160, resilience: 95, observability: 45, platform: 250 };

/** The hue of a family, also of one that nobody has thought of. */
export const hueOf = (family: string): number => hues[family] ?? Array.from(family).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
