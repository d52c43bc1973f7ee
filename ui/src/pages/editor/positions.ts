// From the server's lines and columns to places in a text, and back.
import type { ApiProblem } from '$lib/api';

/** A place in a script; lines and columns from 1. */
export interface Site {
  file: string;
  line: number;
  column: number;
}

/** Where a problem is, if it is somewhere. */
export function siteOf(problem: ApiProblem | null): Site | null {
  const site = problem?.site as Partial<Site> | undefined;
  return site?.file && site.line ? { file: site.file, line: site.line, column: site.column ?? 1 } : null;
}

/** Offset of a line and a column, both from 1; columns count characters, as the server does. */
export function offsetOf(text: string, line: number, column: number): number {
  let at = 0;
  for (let left = Math.max(1, line); left > 1; left -= 1) {
    const end = text.indexOf('\n', at);
    if (end < 0) return text.length;
    at = end + 1;
  }
  const end = text.indexOf('\n', at);
  const rest = [...text.slice(at, end < 0 ? text.length : end)].slice(0, Math.max(0, column - 1));
  return at + rest.join('').length;
}

/** What a diagnostic at a line and column underlines: the word that begins there, or a character. */
export function rangeOf(text: string, { line, column }: { line: number; column: number }): { from: number; to: number } {
  const from = offsetOf(text, line, column);
  const word = /^\w+/.exec(text.slice(from, from + 80))?.[0].length ?? 1;
  const to = Math.min(text.length, from + word);
  return from === to ? { from: Math.max(0, from - 1), to } : { from, to };
}
