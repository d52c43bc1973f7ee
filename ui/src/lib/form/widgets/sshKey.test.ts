// A key in the form of OpenSSH.
import { expect, it } from 'vitest';
import { asFiles, fingerprint } from './sshKey';

it('has the form of OpenSSH, whatever the comment’s length', () => {
  const seed = Uint8Array.from({ length: 32 }, (_, index) => index);
  const open = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);
  for (const comment of ['', 'a', 'ann@example.net']) {
    const { line, file } = asFiles(seed, open, comment, 7);
    const [head, ...rest] = file.trim().split('\n');
    expect([head, rest.pop()]).toEqual(['-----BEGIN OPENSSH PRIVATE KEY-----', '-----END OPENSSH PRIVATE KEY-----']);
    expect(rest.every((one) => one.length <= 70)).toBe(true);
    const whole = Uint8Array.from(atob(rest.join('')), (letter) => letter.charCodeAt(0));
    // Magic, three empty framings, one key, its public half, and a block of whole eights.
    const view = new DataView(whole.buffer);
    let at = 'openssh-key-v1\0'.length;
    const next = () => {
      const length = view.getUint32(at);
      at += 4 + length;
      return whole.slice(at - length, at);
    };
    const text = (part: Uint8Array) => new TextDecoder().decode(part);
    expect([text(next()), text(next()), text(next())]).toEqual(['none', 'none', '']);
    expect(view.getUint32(at)).toBe(1);
    at += 4;
    expect(line.split(' ')[1]).toBe(btoa(String.fromCharCode(...next())));
    const inner = next();
    expect([at, inner.length % 8]).toEqual([whole.length, 0]);
    expect(inner.slice(0, 8)).toEqual(Uint8Array.from([0, 0, 0, 7, 0, 0, 0, 7]));
    expect(line.split(' ').slice(2).join(' ')).toBe(comment);
  }
});

it('knows a key’s fingerprint, and of no other text', async () => {
  // ssh-keygen -lf of the example's key.
  expect(await fingerprint('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINaJsWTS+ad0B3ofpJKax8PlMAUu82hj1fwY519Ftt/u ann@acme.example')).toBe('SHA256:pUQ1Z+puiqpt6v8/X7FlczV9xm5W2dkZhPtgWvMYh40');
  expect(await fingerprint('ssh-ed25519')).toBeUndefined();
  expect(await fingerprint('ssh-ed25519 ***')).toBeUndefined();
});
