// Colours that programs write into their output (ECMA-48 "SGR" sequences), as pieces with names of classes. Whatever else such
// sequences ask for is left out, so that no output can do anything to the page.

export interface Piece {
  text: string;
  /** `bold`, `fg-2`, `bg-12` …; undefined for plain text. */
  classes?: string;
}

// eslint-disable-next-line no-control-regex -- these characters are what is looked for.
const SEQUENCE = /\u001b(?:\[([0-?]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]+[0-~]|[0-Z\\^-~])|[\u0000-\u0008\u000b-\u001f\u007f]/g;

interface Style {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  fg: number;
  bg: number;
}
const plain = (): Style => ({ bold: false, dim: false, italic: false, underline: false, fg: -1, bg: -1 });

function classesOf(style: Style): string | undefined {
  const names = [];
  if (style.bold) names.push('bold');
  if (style.dim) names.push('dim');
  if (style.italic) names.push('italic');
  if (style.underline) names.push('underline');
  if (style.fg >= 0) names.push(`fg-${style.fg}`);
  if (style.bg >= 0) names.push(`bg-${style.bg}`);
  return names.length ? names.join(' ') : undefined;
}

/** One of the sixteen that is nearest to a colour of the 256, or of 24 bits. */
function nearest(red: number, green: number, blue: number): number {
  const strong = Math.max(red, green, blue);
  if (strong < 48) return 0;
  const bit = (part: number) => (part > strong * 0.6 ? 1 : 0);
  const colour = bit(red) | (bit(green) << 1) | (bit(blue) << 2);
  return colour + (strong > 192 ? 8 : 0);
}
function of256(index: number): number {
  if (index < 16) return index;
  if (index >= 232) return nearest((index - 232) * 10 + 8, (index - 232) * 10 + 8, (index - 232) * 10 + 8);
  const level = (part: number) => (part ? part * 40 + 55 : 0);
  const cube = index - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function change(style: Style, codes: number[]) {
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at]!;
    if (code === 0) Object.assign(style, plain());
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code === 39) style.fg = -1;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 49) style.bg = -1;
    else if (code === 38 || code === 48) {
      let colour = -1;
      if (codes[at + 1] === 5) {
        colour = of256(codes[at + 2] ?? 0);
        at += 2;
      } else if (codes[at + 1] === 2) {
        colour = nearest(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0);
        at += 4;
      }
      if (code === 38) style.fg = colour;
      else style.bg = colour;
    }
  }
}

/** A line in pieces of one look each. */
export function pieces(line: string): Piece[] {
  // Most lines have none.
  // eslint-disable-next-line no-control-regex -- see above.
  if (!/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) return [{ text: line }];
  const found: Piece[] = [];
  const style = plain();
  let from = 0;
  for (const match of line.matchAll(SEQUENCE)) {
    if (match.index > from) found.push({ text: line.slice(from, match.index), classes: classesOf(style) });
    from = match.index + match[0].length;
    // Other programs' own sequences begin with one of `<=>?`.
    if (match[2] === 'm' && !/[<-?]/.test(match[1]!)) change(style, match[1] ? match[1].split(/[;:]/).map(Number) : [0]);
  }
  if (from < line.length) found.push({ text: line.slice(from), classes: classesOf(style) });
  return found.length ? found : [{ text: '' }];
}

/** The line without anything but its text. */
export const bare = (line: string) => line.replace(SEQUENCE, '');
