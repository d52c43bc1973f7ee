// Amounts of money as people read and write them: everywhere as `50.00 EUR`, as the server writes them, too. They are whole numbers of a
// currency's smallest unit, but for what providers' prices come in (`price`).

/** Digits behind the point: 2 for EUR, 3 for OMR, 0 for JPY. */
export function digitsOf(currency: string): number {
  try {
    return new Intl.NumberFormat('en-GB', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

const written = (value: number, digits: number) => value.toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace('-', '−');

/** `50.00 EUR`, `5.000 OMR`; `−3.00 EUR` below zero. `plain` is without the currency. `digits`: as many as the server says. */
export function money(amount: number, currency: string, { plain = false, digits = digitsOf(currency) } = {}): string {
  // There is a zero below zero, and nobody owes it.
  const text = written(amount / 10 ** digits + 0, digits);
  return plain ? text : `${text} ${currency}`;
}

/** `5.49 EUR`: an amount that isn't in the smallest unit. */
export const price = (amount: number, currency: string) => `${written(amount + 0, digitsOf(currency))} ${currency}`;

/** What somebody has typed, in the smallest unit; undefined if it is no amount of this currency. */
export function minor(typed: string, currency: string): number | undefined {
  const text = typed.trim().replace(/[\s,’']/g, '');
  const digits = digitsOf(currency);
  const found = /^(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (!found || (found[2] ?? '').length > digits) return undefined;
  const value = Number(found[1]! + (found[2] ?? '').padEnd(digits, '0'));
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Currencies that this browser knows, those that are used most first. */
export function currencies(): string[] {
  const first = ['EUR', 'USD', 'GBP', 'CHF', 'OMR', 'AED', 'SAR'];
  const known = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('currency') : [];
  return [...first, ...known.filter((one) => !first.includes(one))];
}
