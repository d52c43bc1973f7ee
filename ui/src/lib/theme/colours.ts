// Colours of a brand: whether people can read them (WCAG 2.2, 1.4.3, as the server counts), and what pages are coloured with in
// light and in dark.
export type Scheme = 'light' | 'dark';
export interface Colours {
  background?: string | null;
  text?: string | null;
  primary?: string | null;
  on_primary?: string | null;
}
/** Text needs this contrast to what is behind it. */
export const NEEDED = 4.5;
/** What stands for what a brand doesn't say, as the server takes it. */
export const UNSAID = { background: '#ffffff', text: '#111111', on_primary: '#ffffff' } as const;
/** What is behind things in a page without a brand: see tokens.css. */
const PANEL = { light: '#ffffff', dark: '#16191f' } as const;
const SUNKEN = { light: '#f1f2f5', dark: '#20252e' } as const;
/** What is behind states: links stand there, too. */
const STATES = { light: ['#e6f1fd', '#e4f5ea', '#fdebea', '#fdf3da', '#eceef2'], dark: ['#12283f', '#10301f', '#33181b', '#35280c', '#252a33'] } as const;
const INK = { light: '#171a21', dark: '#e7e9ee' } as const;

type Rgb = readonly [number, number, number];

export const isColour = (text: string | null | undefined): text is string => /^#[0-9a-fA-F]{6}$/.test(text ?? '');
const rgb = (colour: string): Rgb => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as unknown as Rgb;
const hex = (colour: Rgb) => `#${colour.map((value) => Math.round(Math.min(255, Math.max(0, value))).toString(16).padStart(2, '0')).join('')}`;

/** Relative luminance, 0 to 1. */
export function luminance(colour: string): number {
  const [r, g, b] = rgb(colour).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** 1 to 21. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** One colour with a share of another. */
export function mixed(colour: string, other: string, share: number): string {
  const [from, to] = [rgb(colour), rgb(other)];
  return hex(from.map((value, at) => value + (to[at]! - value) * share) as unknown as Rgb);
}

/** The colour itself, or as little lighter or darker as it takes to be read on all of these. */
export function readable(colour: string, on: readonly string[]): string {
  const towards = luminance(on[0]!) > 0.18 ? '#000000' : '#ffffff';
  for (let share = 0; share < 1; share += 0.02) {
    const tried = mixed(colour, towards, share);
    if (on.every((ground) => contrast(tried, ground) >= NEEDED)) return tried;
  }
  return towards;
}

/** What is read on a ground: the colour that was meant, or black or white. */
const above = (ground: string, meant: string | undefined) =>
  meant && contrast(meant, ground) >= NEEDED ? meant : contrast('#ffffff', ground) >= NEEDED ? '#ffffff' : '#111111';

export interface Check {
  /** What is above what. */
  above: keyof Colours;
  below: keyof Colours;
  ratio: number;
  enough: boolean;
}

/** What the server looks at, in its order. Nothing for what is no colour yet. */
export function checks(colours: Colours): Check[] {
  const said = (name: keyof Colours) => {
    const given = colours[name];
    if (given) return isColour(given) ? given : undefined;
    return name === 'primary' ? undefined : UNSAID[name];
  };
  const pairs = [['text', 'background'], ['on_primary', 'primary'], ['primary', 'background']] as const;
  return pairs.flatMap(([over, under]) => {
    const [one, other] = [said(over), said(under)];
    if (!one || !other) return [];
    const ratio = contrast(one, other);
    return [{ above: over, below: under, ratio, enough: ratio >= NEEDED }];
  });
}

/** What is said of two colours that are too close to one another. */
export const tooClose = (one: Check) =>
  `${one.ratio.toFixed(2)} to 1 on ${one.below === 'background' ? 'the background' : 'buttons'}: text needs ${NEEDED} to 1. Make one of them darker or lighter.`;

/** Custom properties of tokens.css for a brand in one scheme; empty if it says nothing. A background and a text hold for the
 * scheme that they are of; in the other one pages are as they always are, with the brand's accent. */
export function tokens(colours: Colours, scheme: Scheme): Record<string, string> {
  const out: Record<string, string> = {};
  const clean = Object.fromEntries(Object.entries(colours).filter(([, value]) => isColour(value))) as Record<keyof Colours, string | undefined>;
  const paints = clean.background !== undefined || clean.text !== undefined;
  const background = clean.background ?? UNSAID.background;
  const own = paints && (luminance(background) > 0.18 ? 'light' : 'dark') === scheme;
  let grounds: string[] = [PANEL[scheme], SUNKEN[scheme]];
  if (own) {
    const text = clean.text ?? above(background, UNSAID.text);
    const sunken = mixed(background, text, 0.04);
    const hover = mixed(background, text, 0.07);
    grounds = [background, sunken, hover];
    Object.assign(out, {
      '--panel': background, '--raised': background, '--ground': mixed(background, text, 0.025), '--sunken': sunken, '--hover': hover,
      '--pressed': mixed(background, text, 0.11), '--edge': mixed(background, text, 0.13), '--edge-strong': mixed(background, text, 0.5),
      '--text-1': text, '--text-2': readable(mixed(text, background, 0.28), grounds), '--text-3': readable(mixed(text, background, 0.36), grounds),
      '--neutral': readable(mixed(text, background, 0.3), grounds), '--neutral-ground': hover,
    });
  }
  if (clean.primary) {
    const ground = mixed(grounds[0]!, clean.primary, 0.1);
    const accent = readable(clean.primary, [...grounds, ground, ...STATES[scheme]]);
    const strong = mixed(accent, own ? (out['--text-1'] ?? INK[scheme]) : INK[scheme], 0.18);
    const on = above(accent, clean.on_primary);
    Object.assign(out, {
      '--accent': accent, '--accent-strong': contrast(on, strong) >= NEEDED ? strong : accent, '--on-accent': on, '--accent-ground': ground,
      '--focus': accent, '--selected': mixed(grounds[0]!, clean.primary, 0.12),
    });
  }
  return out;
}
