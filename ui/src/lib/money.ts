// Amounts of money: whole numbers of a currency's smallest unit, as people read and write them.

/** Digits behind the point: 2 for EUR, 3 for OMR, 0 for JPY. */
export function digitsOf(currency: string): number {
  try {
    return new Intl.NumberFormat('en-GB', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

/** `€50.00`, `OMR 5.000`; `−€3.00` below zero. `plain` is without the currency. */
export function money(amount: number, currency: string, { plain = false } = {}): string {
  const digits = digitsOf(currency);
  // There is a zero below zero, and nobody owes it.
  const value = amount / 10 ** digits + 0;
  const shape = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  if (plain) return value.toLocaleString('en-GB', shape).replace('-', '−');
  try {
    return new Intl.NumberFormat('en-GB', { style: 'currency', currency, currencyDisplay: 'narrowSymbol', ...shape }).format(value).replace('-', '−').replace(/\u00a0/g, ' ');
  } catch {
    return `${value.toLocaleString('en-GB', shape)} ${currency}`;
  }
}

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
