// How well something that was typed fits a name: letters in order, better at the beginnings of words.

/** Higher is better; null: it doesn't fit. Several words have to fit each. */
export function score(typed: string, name: string): number | null {
  let total = 0;
  for (const word of typed.toLowerCase().split(/\s+/).filter(Boolean)) {
    const one = scoreWord(word, name.toLowerCase());
    if (one === null) return null;
    total += one;
  }
  // Of two that fit as well, the shorter one is meant.
  return total - name.length / 200;
}

function scoreWord(word: string, name: string): number | null {
  const at = name.indexOf(word);
  if (at >= 0) return 10 + word.length + (at === 0 || /[\s/_.-]/.test(name[at - 1]!) ? 10 : 0);
  let from = 0;
  let points = 0;
  for (const letter of word) {
    const found = name.indexOf(letter, from);
    if (found < 0) return null;
    points += found === from ? 1 : found === 0 || /[\s/_.-]/.test(name[found - 1]!) ? 1.5 : 0;
    from = found + 1;
  }
  return points;
}
