// SSH keys (Ed25519) made in the browser: the public line as `.pub` files have it, the private half as OpenSSH reads it (PROTOCOL.key).

export interface SshKey {
  /** `ssh-ed25519 AAAA… comment` */
  line: string;
  /** The file of the private half. */
  file: string;
}

const NAME = 'ssh-ed25519';
const MAGIC = 'openssh-key-v1\0';
const BLOCK = 8;
const COLUMNS = 70;

const bytes = (text: string) => new TextEncoder().encode(text);

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function uint32(value: number): Uint8Array {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setUint32(0, value);
  return four;
}

/** A length, and so many bytes. */
const framed = (part: Uint8Array | string) => {
  const content = typeof part === 'string' ? bytes(part) : part;
  return joined(uint32(content.length), content);
};

const base64 = (part: Uint8Array) => btoa(Array.from(part, (byte) => String.fromCharCode(byte)).join(''));

/** Both forms of a key: 32 bytes of seed, 32 of the public half, and a number that tells whether it was read well. */
export function asFiles(seed: Uint8Array, open: Uint8Array, comment: string, check: number): SshKey {
  const blob = joined(framed(NAME), framed(open));
  const inner = joined(uint32(check), uint32(check), framed(NAME), framed(open), framed(joined(seed, open)), framed(comment));
  const padding = Uint8Array.from({ length: (BLOCK - (inner.length % BLOCK)) % BLOCK }, (_, index) => index + 1);
  const whole = joined(bytes(MAGIC), framed('none'), framed('none'), framed(''), uint32(1), framed(blob), framed(joined(inner, padding)));
  const lines = base64(whole).match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return {
    line: `${NAME} ${base64(blob)}${comment ? ` ${comment}` : ''}`,
    file: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`,
  };
}

/** A new key. Throws where the browser can't make one (it is old, or the page came over plain HTTP). */
export async function makeKey(comment: string): Promise<SshKey> {
  if (!globalThis.crypto?.subtle) throw new Error('Browsers make keys only on pages that come over HTTPS.');
  const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])) as CryptoKeyPair;
  const open = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  // The seed is what PKCS #8 ends with.
  const seed = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).slice(-32);
  const check = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const key = asFiles(seed, open, comment, check);
  seed.fill(0);
  return key;
}

/** Its fingerprint, as `ssh-keygen -l` shows it; nothing if the line isn't a key's. */
export async function fingerprint(line: string): Promise<string | undefined> {
  const blob = line.trim().split(/\s+/)[1];
  if (!blob || !globalThis.crypto?.subtle) return undefined;
  try {
    const content = Uint8Array.from(atob(blob), (letter) => letter.charCodeAt(0));
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
    return `SHA256:${base64(digest).replace(/=+$/, '')}`;
  } catch {
    return undefined;
  }
}
