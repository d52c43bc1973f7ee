// Vouchers in words, and what an export says.
import type { Schema } from '$lib/api';
import { money } from '$lib/money';

export type Voucher = Schema<'VoucherView'>;
export type Batch = Schema<'BatchView'>;

/** Fields of a line of CSV: between quotes, doubled quotes are one. */
export function fields(line: string): string[] {
  const found: string[] = [];
  let field = '';
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at]!;
    if (quoted && letter === '"' && line[at + 1] === '"') {
      field += '"';
      at += 1;
    } else if (letter === '"') quoted = !quoted;
    else if (letter === ',' && !quoted) {
      found.push(field);
      field = '';
    } else field += letter;
  }
  return [...found, field];
}

/** Codes by voucher, of a batch's export; with the signed form where there is one. */
export function codesOf(csv: string): Map<string, { code: string; signed?: string }> {
  const [head, ...lines] = csv.trim().split(/\r?\n/);
  const names = fields(head ?? '');
  const at = (name: string) => names.indexOf(name);
  return new Map(lines.map(fields).map((row) => [row[at('voucher')] ?? '', { code: row[at('code')] ?? '', ...(at('signed') >= 0 && row[at('signed')] ? { signed: row[at('signed')] } : {}) }]));
}

/** Where whoever gets the code redeems it. */
export const linkOf = (code: string) => `${location.origin}/redeem?code=${encodeURIComponent(code)}`;

export const stateOf = (voucher: Voucher): { word: string; tone: 'good' | 'neutral' | 'warn' | 'bad' } =>
  voucher.open ? { word: 'Open', tone: 'good' }
  : voucher.closed === 'revoked' ? { word: 'Taken back', tone: 'bad' }
  : voucher.closed === 'expired' ? { word: 'Expired', tone: 'warn' }
  : { word: 'Used up', tone: 'neutral' };

/** `3 of 5`, `3, without limit` */
export const redeemed = (voucher: Voucher) => (voucher.max_redemptions === 0 ? `${voucher.times_redeemed}, without limit` : `${voucher.times_redeemed} of ${voucher.max_redemptions}`);

/** `100 × 50.00 EUR` */
export const worthOf = (batch: Batch) => `${batch.count.toLocaleString('en-GB')} × ${money(batch.credit, batch.currency)}`;
