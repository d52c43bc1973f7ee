// Codes of vouchers, looked at before anything is sent: base 32 without I, L, O and U, and two characters that check the others.
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const RANDOM = 18;
const LENGTH = RANDOM + 2;
const GROUP = 4;
/** The greatest prime that two characters can hold. */
const PRIME = 1_021;

export type Verdict =
  | { kind: 'empty' }
  /** So many characters are missing. */
  | { kind: 'short'; missing: number }
  | { kind: 'long' }
  /** A character that no code has. */
  | { kind: 'character'; character: string }
  /** All are there, and don't fit together. */
  | { kind: 'mistyped' }
  /** It can be a code: this is how it is sent. */
  | { kind: 'sound'; code: string };

const meant = (letter: string) => {
  const upper = letter.toUpperCase();
  return upper === 'O' ? '0' : upper === 'I' || upper === 'L' ? '1' : upper;
};

/** What somebody has typed, in groups of four. Vouchers that were signed elsewhere stay as they are. */
export function grouped(text: string): string {
  if (isSigned(text)) return text.trim();
  const letters = [...text.replace(/[-\s]/g, '')].map(meant).join('').slice(0, LENGTH + 4);
  return letters.match(new RegExp(`.{1,${GROUP}}`, 'g'))?.join('-') ?? '';
}

/** A voucher with another Sovereign's signature: only the server knows whether it holds. */
export const isSigned = (text: string) => text.trim().startsWith('wv1.');

export function look(text: string): Verdict {
  const trimmed = text.trim();
  if (!trimmed) return { kind: 'empty' };
  if (isSigned(trimmed)) return { kind: 'sound', code: trimmed };
  const letters = [...trimmed.replace(/[-\s]/g, '')].map(meant);
  const wrong = letters.find((letter) => !LETTERS.includes(letter));
  if (wrong) return { kind: 'character', character: wrong };
  if (letters.length < LENGTH) return { kind: 'short', missing: LENGTH - letters.length };
  if (letters.length > LENGTH) return { kind: 'long' };
  const digits = letters.map((letter) => LETTERS.indexOf(letter));
  const sum = (digits.slice(0, RANDOM).reduce((all, digit) => (all * 32 + digit) % PRIME, 0) * (1_024 % PRIME)) % PRIME;
  const said = digits[RANDOM]! * 32 + digits[RANDOM + 1]!;
  return sum === said ? { kind: 'sound', code: grouped(trimmed) } : { kind: 'mistyped' };
}

/** The name of an organisation to be, of how people call it: `Bob & Sons` → `bob-sons`. */
export const nameOf = (title: string) =>
  title.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 40).replace(/-+$/, '');
