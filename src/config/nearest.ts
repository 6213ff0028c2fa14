/** So many letters of a name allow one to be wrong. */
const LETTERS_PER_MISTAKE = 3;

/** How many letters of so many may be wrong. */
export function allowedMistakes(letters: number): number {
  return Math.floor(letters / LETTERS_PER_MISTAKE);
}

/**
 * The one of `known` that was meant by `name`, if no more than `allowed` letters of it are wrong.
 * Names are compared as `asWritten` gives them; without it, as they are.
 */
export function nearestOf(
  name: string,
  known: readonly string[],
  { allowed, asWritten = (text) => text }: {
    allowed: number;
    asWritten?: (text: string) => string;
  },
): string | undefined {
  let nearest: string | undefined;
  let least = allowed + 1;
  for (const one of known) {
    // As many letters as one has more than the other are wrong at least.
    if (Math.abs(one.length - name.length) >= least) continue;
    const mistakes = mistakesBetween(asWritten(name), asWritten(one));
    if (mistakes >= least) continue;
    nearest = one;
    least = mistakes;
  }
  return nearest;
}

/** How many letters are missing, superfluous, wrong, or swapped with the next. */
function mistakesBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const wrong = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + wrong);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
