// The codes of a second factor, as an app on a phone makes them.

/** What an authenticator app would show for a seed (RFC 6238). */
export async function codeOf(seed: string): Promise<string> {
  const bits = [...seed.replace(/[\s=]/g, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const bytes = Uint8Array.from(bits.match(/.{8}/g)!.map((one) => Number.parseInt(one, 2)));
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign']);
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(Math.floor(Date.now() / 30_000)));
  const sum = new DataView(await crypto.subtle.sign('HMAC', key, counter.buffer));
  const at = sum.getUint8(19) & 15;
  return String((sum.getUint32(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
