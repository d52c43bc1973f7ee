// Where a secret may go: one destination a line.
export const linesOf = (text: string) => [...new Set(text.split('\n').map((line) => line.trim()).filter(Boolean))];

const KINDS = /^(https?:\/\/|exec:|file:)/;

/** What is wrong with them before they are sent; the server has the last word. */
export function destinationProblem(text: string): string | undefined {
  const lines = linesOf(text);
  if (!lines.length) return 'Name at least one destination: a secret that may go nowhere is of no use.';
  if (lines.length > 64) return 'At most 64 destinations.';
  const odd = lines.find((line) => !KINDS.test(line) && line !== '*');
  return odd ? `“${odd}” is none: a destination begins with https://, exec: or file:.` : undefined;
}

/** A destination that lets it go nearly everywhere, if there is one. */
export const wide = (destinations: readonly string[]) => destinations.find((one) => one === '*' || /^(https?:\/\/\*|exec:\*|file:\/?\*)$/.test(one));
