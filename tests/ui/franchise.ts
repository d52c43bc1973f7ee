// What the tests of the franchise's pages share: organisations, their people, vouchers.
import { crc32, deflateSync } from 'node:zlib';
import type { Server } from './harness';

export const PASSWORD = 'a long enough one';

/** An organisation under another one. */
export const organisation = (server: Server, name: string, kind: 'franchisee' | 'customer', title = name, parent?: string) =>
  server.api('POST', '/organisations', { name, title, kind, ...(parent ? { parent } : {}) });

/** Somebody who can log in with `PASSWORD`. */
export const person = (server: Server, name: string, organisation: string, role = 'franchisee') =>
  server.api('POST', '/users', { name, password: PASSWORD, organisation, email: `${name}@${organisation}.test`, bindings: [{ role, organisation, folder: '*' }] });

/** A batch; its codes, in the order of the export. */
export async function vouchers(server: Server, more: Record<string, unknown> = {}): Promise<{ batch: string; codes: string[]; ids: string[] }> {
  const { id } = await server.api<{ id: string }>('POST', '/vouchers/batches', { issuer: 'platform', name: 'spring', credit: 5_000, currency: 'EUR', ...more });
  const csv = await (await fetch(`${server.url}/api/v1/vouchers/batches/${id}/export`, { headers: { authorization: `Bearer ${server.token}` } })).text();
  const rows = csv.trim().split('\r\n').slice(1).map((line) => line.split(','));
  return { batch: id, ids: rows.map((row) => row[0]!), codes: rows.map((row) => row[1]!) };
}

/** A chunk of a PNG. */
function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A picture as a logo may be: rings in a colour, as a `data:` address. */
export function logo(red: number, green: number, blue: number, side = 96): string {
  const rows = Array.from({ length: side }, (_, y) => {
    const row = [0];
    for (let x = 0; x < side; x += 1) {
      const far = Math.hypot(x - side / 2, y - side / 2);
      const shows = far < side * 0.18 || (far > side * 0.3 && far < side * 0.46);
      row.push(red, green, blue, shows ? 255 : 0);
    }
    return Buffer.from(row);
  });
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const file = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.concat(rows))), chunk('IEND', Buffer.alloc(0))]);
  return `data:image/png;base64,${file.toString('base64')}`;
}
