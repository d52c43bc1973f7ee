// Signatures of deliveries, as senders make them: for test deliveries from the browser, and for the example to copy.
import type { Schema } from '$lib/api';

type Scheme = Schema<'Scheme'>;

/** Browsers sign only on pages that came over HTTPS, or from this machine. */
export const canSign = () => typeof crypto !== 'undefined' && crypto.subtle !== undefined;

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, new TextEncoder().encode(text)));
}

/** The headers of a signed delivery. A key that can't be one throws. */
export async function headersOf(scheme: Scheme, key: string, body: string, id: string, atSeconds: number): Promise<Record<string, string>> {
  const headers = { 'content-type': 'application/json' };
  if (scheme === 'github') {
    const signature = await hmac(new TextEncoder().encode(key), body);
    return { ...headers, 'x-hub-signature-256': `sha256=${[...signature].map((byte) => byte.toString(16).padStart(2, '0')).join('')}` };
  }
  if (!key.startsWith('whsec_')) throw new Error('A key of Standard Webhooks begins with whsec_.');
  const bytes = Uint8Array.from(atob(key.slice(6)), (letter) => letter.charCodeAt(0));
  const signature = await hmac(bytes, `${id}.${atSeconds}.${body}`);
  return { ...headers, 'webhook-id': id, 'webhook-timestamp': String(atSeconds), 'webhook-signature': `v1,${btoa(String.fromCharCode(...signature))}` };
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A delivery with curl and openssl, ready to be pasted into a shell. */
export function example(scheme: Scheme, url: string, key: string, body: string): string {
  const begin = [`HOOK=${quoted(url)}`, `KEY=${quoted(key)}`, `BODY=${quoted(body)}`];
  if (scheme === 'github') {
    return [...begin, `SIGNATURE=$(printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$KEY" | sed 's/.* //')`,
      `curl -H 'Content-Type: application/json' -H "X-Hub-Signature-256: sha256=$SIGNATURE" -d "$BODY" "$HOOK"`].join('\n');
  }
  return [...begin, 'ID=msg_$(date +%s)_$$', 'AT=$(date +%s)', `HEX=$(printf '%s' "\${KEY#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')`,
    `SIGNATURE=$(printf '%s' "$ID.$AT.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$HEX" -binary | base64)`,
    `curl -H 'Content-Type: application/json' -H "webhook-id: $ID" -H "webhook-timestamp: $AT" \\`, `  -H "webhook-signature: v1,$SIGNATURE" -d "$BODY" "$HOOK"`].join('\n');
}

/** Places of a template that a body has to have: `${/body/lab}` gives `{"lab": "…"}`. */
export function sampleBody(template: unknown): string {
  const body: Record<string, unknown> = {};
  for (const [, path, optional] of JSON.stringify(template ?? {}).matchAll(/(?<!\$)\$\{\/body\/([^}?]+)(\?)?\}/g)) {
    if (optional) continue;
    const parts = path!.split('/');
    let at = body;
    for (const part of parts.slice(0, -1)) at = (typeof at[part] === 'object' ? at[part] : (at[part] = {})) as Record<string, unknown>;
    at[parts.at(-1)!] ??= 'demo';
  }
  return JSON.stringify(body);
}
