// What things cost, in words, and which addresses are offered.
import { render, screen } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import Consoles from './Consoles.svelte';
import { money, monthly, opens, sums, type Cost } from './cost';

const eur = (amount: number): Cost => ({ amount, digits: 2, currency: 'EUR' });

describe('money', () => {
  it('is written with the digits of its currency', () => {
    expect(money(eur(490))).toBe('4.90 EUR');
    expect(money(eur(123_456_789))).toBe('1,234,567.89 EUR');
    expect(money({ amount: 700, digits: 0, currency: 'JPY' })).toBe('700 JPY');
    expect(money({ amount: 1_234, digits: 3, currency: 'KWD' })).toBe('1.234 KWD');
    expect(money({ amount: 1, digits: 2, currency: 'XYZ' })).toBe('0.01 XYZ');
  });
  it('is summed by currency, without what is gone or somebody else’s', () => {
    const things = [
      { state: 'live', monthly_cost: eur(490) }, { state: 'destroying', monthly_cost: eur(110) }, { state: 'gone', monthly_cost: eur(9_900) },
      { state: 'adopted', monthly_cost: eur(9_900) }, { state: 'live', monthly_cost: { amount: 300, digits: 2, currency: 'USD' } }, { state: 'live', monthly_cost: null },
    ];
    expect(monthly(sums(things))).toBe('≈ 6.00 EUR + 3.00 USD a month');
    expect(monthly(sums([]))).toBe('');
  });
});

describe('a console', () => {
  it('is offered only with an address that a browser may open', () => {
    expect(opens('https://a.example/x?y=1')).toBe('https://a.example/x?y=1');
    for (const url of ['javascript:alert(1)', 'data:text/html,x', 'https://me:word@a.example/', '/runs', '', null, undefined]) expect(opens(url), String(url)).toBeUndefined();
  });
  it('opens an address in a tab of its own, and shows and copies a command', async () => {
    HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) { this.open = true; };
    const user = userEvent.setup();
    const copied = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    render(Consoles, { thing: 'demo/r1', run: '01aa', consoles: [
      { title: 'Console', kind: 'link', url: 'https://a.example/', command: null },
      { title: 'Bad', kind: 'link', url: 'javascript:alert(1)', command: null },
      { title: 'Shell in r1', kind: 'command', command: 'ip netns exec nve1 sh', url: null },
    ] });
    const link = screen.getByRole('link', { name: /Console of demo\/r1/ });
    expect([link.getAttribute('href'), link.getAttribute('target'), link.getAttribute('rel')]).toEqual(['https://a.example/', '_blank', 'noopener noreferrer']);
    expect(screen.queryByText('Bad')).toBeNull();
    await user.click(screen.getByRole('button', { name: /Shell in r1/ }));
    expect(copied).toHaveBeenCalledWith('ip netns exec nve1 sh');
    expect(screen.getByText('ip netns exec nve1 sh')).toBeTruthy();
    expect(await screen.findByText('It is in the clipboard.')).toBeTruthy();
  });
});
