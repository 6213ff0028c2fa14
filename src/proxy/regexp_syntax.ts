/** What a regular expression is made of. Characters are UTF-16 code units, as without flags. */
export type Node =
  | { readonly type: "set"; readonly has: (unit: number) => boolean }
  | { readonly type: "start" | "end" }
  | { readonly type: "sequence" | "choice"; readonly of: readonly Node[] }
  | { readonly type: "repeat"; readonly of: Node; readonly min: number; readonly max: number };

type Range = readonly [first: number, last: number];

const LAST_UNIT = 0xffff;
const MAX_REPEATS = 255;
/** Groups in groups. */
const MAX_DEPTH = 100;

const DIGIT: readonly Range[] = [[0x30, 0x39]];
const WORD: readonly Range[] = [...DIGIT, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
// ECMA-262 §22.2.2.9: white space and line terminators.
const SPACE: readonly Range[] = [
  ...[[0x09, 0x0d], [0x20, 0x20], [0xa0, 0xa0], [0x1680, 0x1680], [0x2000, 0x200a]] as Range[],
  ...[[0x2028, 0x2029], [0x202f, 0x202f], [0x205f, 0x205f], [0x3000, 0x3000]] as Range[],
  [0xfeff, 0xfeff],
];
const LINE_END: readonly Range[] = [[0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]];

const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGIT,
  D: without(DIGIT),
  w: WORD,
  W: without(WORD),
  s: SPACE,
  S: without(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/**
 * The parts of an expression that `new RegExp(source)` takes.
 * Throws `SyntaxError` where it has what can't be matched in linear time, or what is seldom meant.
 */
export function parseRegexp(source: string): Node {
  return new Syntax(source).parse();
}

class Syntax {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw new SyntaxError("Unmatched ')'");
    return node;
  }

  /** Takes `text` if it comes next. */
  #skip(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match !== null) this.#at += match[0].length;
    return match;
  }

  #choice(): Node {
    if (++this.#depth > MAX_DEPTH) throw new SyntaxError("too many groups in groups");
    const ways = [this.#sequence()];
    while (this.#skip("|")) ways.push(this.#sequence());
    this.#depth--;
    return ways.length === 1 ? ways[0] : { type: "choice", of: ways };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at])) {
      parts.push(this.#repeated(this.#atom()));
    }
    return { type: "sequence", of: parts };
  }

  #repeated(of: Node): Node {
    const match = this.#match(/(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/y);
    if (match === null) return of;
    const [text, from, comma, to] = match;
    const min = from === undefined ? (text[0] === "+" ? 1 : 0) : Number(from);
    const max = from === undefined
      ? (text[0] === "?" ? 1 : Infinity)
      : comma === undefined
      ? min
      : to === ""
      ? Infinity
      : Number(to);
    if (min > MAX_REPEATS || (max !== Infinity && max > MAX_REPEATS)) {
      throw new SyntaxError(`more than ${MAX_REPEATS} repeats`);
    }
    return { type: "repeat", of, min, max };
  }

  #atom(): Node {
    if (this.#skip("^")) return { type: "start" };
    if (this.#skip("$")) return { type: "end" };
    if (this.#skip(".")) return setOf(without(LINE_END));
    if (this.#skip("(")) return this.#group();
    if (this.#skip("[")) return this.#class();
    if (this.#skip("\\")) return setOf(this.#escape(false));
    const unit = this.#source.charCodeAt(this.#at++);
    return setOf([[unit, unit]]);
  }

  #group(): Node {
    const named = this.#match(/\?<(?![=!])[^>]*>/y) !== null;
    if (!named && !this.#skip("?:") && this.#source[this.#at] === "?") {
      throw new SyntaxError("lookaround and flags can't be used here");
    }
    const node = this.#choice();
    if (!this.#skip(")")) throw new SyntaxError("Unterminated group");
    return node;
  }

  #class(): Node {
    const negated = this.#skip("^");
    const ranges: Range[] = [];
    while (!this.#skip("]")) {
      const first = this.#member();
      // Beside a class such as \d a hyphen stands for itself.
      const isRange = /^-[^\]]/.test(this.#source.slice(this.#at, this.#at + 2));
      if (!isRange) {
        ranges.push(...first);
        continue;
      }
      this.#at++;
      const last = this.#member();
      if (isSingle(first) && isSingle(last)) ranges.push([first[0][0], last[0][0]]);
      else ranges.push(...first, [0x2d, 0x2d], ...last);
    }
    return setOf(negated ? without(ranges) : ranges);
  }

  #member(): readonly Range[] {
    if (this.#skip("\\")) return this.#escape(true);
    const unit = this.#source.charCodeAt(this.#at++);
    return [[unit, unit]];
  }

  #escape(inClass: boolean): readonly Range[] {
    const hex = this.#match(/(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/iy);
    if (hex !== null && /^[xu]/.test(hex[0])) return single(parseInt(hex[1] ?? hex[2], 16));
    const c = this.#source[this.#at++];
    if (c in CLASSES) return CLASSES[c];
    if (c in CONTROLS) return single(CONTROLS[c]);
    if (inClass && c === "b") return single(8);
    if (c === "0" && !/[0-9]/.test(this.#source[this.#at] ?? "")) return single(0);
    if (/[1-9k]/.test(c)) throw new SyntaxError("backreferences can't be used here");
    if (/[a-z0-9]/i.test(c)) throw new SyntaxError(`\\${c} can't be used here`);
    return single(c.charCodeAt(0));
  }
}

function single(unit: number): readonly Range[] {
  return [[unit, unit]];
}

function isSingle(ranges: readonly Range[]): boolean {
  return ranges.length === 1 && ranges[0][0] === ranges[0][1];
}

/** All units that are in none of the ranges. */
function without(ranges: readonly Range[]): readonly Range[] {
  const rest: Range[] = [];
  let from = 0;
  for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
    if (first > from) rest.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  if (from <= LAST_UNIT) rest.push([from, LAST_UNIT]);
  return rest;
}

function setOf(ranges: readonly Range[]): Node {
  const ascii = new Uint8Array(128);
  for (const [first, last] of ranges) ascii.fill(1, Math.min(first, 128), Math.min(last + 1, 128));
  const has = (unit: number) =>
    unit < 128 ? ascii[unit] === 1 : ranges.some(([first, last]) => unit >= first && unit <= last);
  return { type: "set", has };
}
