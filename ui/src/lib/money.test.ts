// Amounts in their smallest unit, to and fro.
import { describe, expect, it } from 'vitest';
import { digitsOf, minor, money, price } from './money';

describe('money', () => {
  it('has as many digits as its currency', () => {
    expect([digitsOf('EUR'), digitsOf('OMR'), digitsOf('JPY')]).toEqual([2, 3, 0]);
    expect(money(5_000, 'EUR')).toBe('50.00 EUR');
    expect(money(5_000, 'OMR')).toBe('5.000 OMR');
    expect(money(5_000, 'JPY')).toBe('5,000 JPY');
    expect(money(-1_234_500, 'EUR')).toBe('−12,345.00 EUR');
    expect(money(-50, 'EUR', { plain: true })).toBe('−0.50');
    expect(money(-0, 'EUR')).toBe('0.00 EUR');
    expect(money(5_000, 'nonsense')).toBe('50.00 nonsense');
    expect([price(5.49, 'EUR'), price(1_234.5, 'USD'), price(5, 'OMR')]).toEqual(['5.49 EUR', '1,234.50 USD', '5.000 OMR']);
  });
  it('is read as it is typed, and not guessed', () => {
    expect([minor('50', 'EUR'), minor('50.5', 'EUR'), minor('1,250.00', 'EUR'), minor('5.000', 'OMR'), minor('7', 'JPY')]).toEqual([5_000, 5_050, 125_000, 5_000, 7]);
    for (const wrong of ['', 'x', '-5', '5.001', '1e3', '.5', '99999999999999999999']) expect(minor(wrong, 'EUR'), wrong).toBeUndefined();
    expect(minor('0.5', 'JPY')).toBeUndefined();
  });
});
