// Codes as the server makes them: every single mistake shows before anything is sent.
import { describe, expect, it } from 'vitest';
import { grouped, look, nameOf } from './code';

/** Made by a server. */
const CODES = ['67Q3-95DS-Q20M-PMVP-8TPP', '58AM-VP1Y-JPCT-33KP-CQWV', 'A4RT-T7JB-0ATB-8206-ZXT3'];
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

describe('codes', () => {
  it('are known as the server made them, however they are typed', () => {
    for (const code of CODES) {
      for (const typed of [code, code.toLowerCase(), code.replaceAll('-', ''), ` ${code.replaceAll('-', ' ')} `, code.replaceAll('0', 'o').replaceAll('1', 'l')]) expect(look(typed), typed).toEqual({ kind: 'sound', code });
      expect(grouped(code.replaceAll('-', '').toLowerCase())).toBe(code);
    }
  });
  it('show every wrong character and every two that were swapped', () => {
    for (const code of CODES) {
      const letters = [...code.replaceAll('-', '')];
      letters.forEach((right, at) => {
        for (const wrong of LETTERS) if (wrong !== right) expect(look(letters.with(at, wrong).join('')).kind).toBe('mistyped');
        const next = letters[at + 1];
        if (next !== undefined && next !== right) expect(look(letters.with(at, next).with(at + 1, right).join('')).kind).toBe('mistyped');
      });
    }
  });
  it('say what is missing', () => {
    expect(look('')).toEqual({ kind: 'empty' });
    expect(look('7KX2-')).toEqual({ kind: 'short', missing: 16 });
    expect(look(`${CODES[0]}A`).kind).toBe('long');
    expect(look('7KXU')).toEqual({ kind: 'character', character: 'U' });
    expect(look('wv1.abc.def')).toEqual({ kind: 'sound', code: 'wv1.abc.def' });
  });
});

it('names are made of titles', () => {
  expect([nameOf('Bob & Sons'), nameOf(' Café Zürich GmbH '), nameOf('—'), nameOf('x'.repeat(80))]).toEqual(['bob-sons', 'cafe-zurich-gmbh', '', 'x'.repeat(40)]);
});
