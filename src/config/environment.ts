import type { Environment } from "./flags.ts";

/** What the names of all our variables begin with. */
const PREFIX = "H3WS_";
/** So many letters of a name allow one to be wrong. */
const LETTERS_PER_MISTAKE = 3;

/**
 * One line for each variable that is none of ours, but nearly has the name of one: it would be
 * ignored. Others that begin like ours may be anyone's: Kubernetes sets `H3WS_PORT` for a service
 * of that name. Values are not shown.
 */
export function misspeltVariables(env: Environment, known: readonly string[]): string[] {
  return Object.keys(env).filter((name) => name.toUpperCase().startsWith(PREFIX)).sort()
    .flatMap((name) => {
      const nearest = known.includes(name) ? undefined : nearestOf(name.toUpperCase(), known);
      return nearest === undefined ? [] : `${name}: is not known; did you mean ${nearest}?`;
    });
}

function nearestOf(name: string, known: readonly string[]): string | undefined {
  const allowed = Math.floor((name.length - PREFIX.length) / LETTERS_PER_MISTAKE);
  let nearest: string | undefined;
  let least = allowed + 1;
  for (const one of known) {
    // As many letters as one has more than the other are wrong at least.
    if (Math.abs(one.length - name.length) >= least) continue;
    const mistakes = mistakesBetween(name, one);
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
