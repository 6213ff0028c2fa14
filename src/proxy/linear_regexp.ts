// Russ Cox, "Regular Expression Matching: the Virtual Machine Approach" (Pike's VM): all ways
// through the expression are followed at once, so that none is gone twice, and where they led is
// kept. RegExp itself goes back and tries again: `^(a+)+$` takes it hours for a path of 40 letters,
// which anyone may ask for.
import { type Node, parseRegexp } from "./regexp_syntax.ts";

/** One step: take a character, go two ways, stand at an end of the text, or be done. */
type Step =
  | { readonly op: "take"; readonly has: (unit: number) => boolean }
  | { readonly op: "split"; readonly to: number[] }
  | { readonly op: "start" }
  | { readonly op: "end" }
  | { readonly op: "done" };

/** Of one expression. Each is looked at once for each character at most. */
const MAX_STEPS = 500;
/** So many are kept of one expression. */
const MAX_STATES = 256;
const ASCII = 128;

/** All ways that are open after some characters. */
interface State {
  /** The steps that wait: for a character, or for the end of the text. */
  readonly waiting: readonly number[];
  /** Whether it fits already. */
  readonly fits: boolean;
  readonly atStart: boolean;
  /** What follows on a character of ASCII, as far as that has come up. */
  readonly next: (State | undefined)[];
}

/**
 * A regular expression whose `test` takes time in proportion to the text, whatever the text: the
 * syntax of `RegExp` without flags, but without backreferences, lookaround, `\b` and `\B`.
 */
export class LinearRegExp {
  readonly source: string;
  readonly #steps: Step[] = [];
  /** In which round a step was last reached. */
  readonly #seen: Float64Array;
  #round = 0;
  /** Whether it can fit at the start of a text alone. */
  readonly #fromStart: boolean;
  readonly #states = new Map<string, State>();
  #first: State | null = null;

  /** Throws `SyntaxError` for what is no expression, and for what can't be done in linear time. */
  constructor(source: string) {
    // Its message tells best what is wrong.
    new RegExp(source);
    this.source = source;
    const node = parseRegexp(source);
    this.#emit(node);
    this.#push({ op: "done" });
    this.#seen = new Float64Array(this.#steps.length);
    this.#fromStart = node.type === "sequence" && node.of[0]?.type === "start";
  }

  /** Whether it fits anywhere in the text. */
  test(text: string): boolean {
    let state = this.#first ??= this.#stateAfter([0], true);
    for (let at = 0; at < text.length; at++) {
      if (state.fits) return true;
      if (state.waiting.length === 0 && this.#fromStart) return false;
      const unit = text.charCodeAt(at);
      state = state.next[unit] ?? this.#advance(state, unit);
    }
    return state.fits || this.#fitsAtEnd(state);
  }

  #fitsAtEnd({ waiting, atStart }: State): boolean {
    const ends = waiting.filter((index) => this.#steps[index].op === "end");
    return ends.length > 0 && this.#follow(ends, { atStart, atEnd: true }, []);
  }

  #advance(state: State, unit: number): State {
    const reached: number[] = [];
    for (const index of state.waiting) {
      const step = this.#steps[index];
      if (step.op === "take" && step.has(unit)) reached.push(index + 1);
    }
    if (!this.#fromStart) reached.push(0);
    const next = this.#stateAfter(reached, false);
    // Where there are too many to keep, none refers to another: what is passed is free.
    if (unit < ASCII && this.#states.size < MAX_STATES) state.next[unit] = next;
    return next;
  }

  #stateAfter(reached: readonly number[], atStart: boolean): State {
    const waiting: number[] = [];
    const fits = this.#follow(reached, { atStart, atEnd: false }, waiting);
    if (this.#states.size >= MAX_STATES) return { waiting, fits, atStart, next: [] };
    // Steps may be reached in any order.
    const key = `${atStart} ${fits} ${waiting.sort((a, b) => a - b).join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state: State = { waiting, fits, atStart, next: [] };
    this.#states.set(key, state);
    return state;
  }

  /** Adds to `waiting` the steps that a character or an end may take further; `true` where none must. */
  #follow(
    from: readonly number[],
    { atStart, atEnd }: { atStart: boolean; atEnd: boolean },
    waiting: number[],
  ): boolean {
    this.#round++;
    const open = [...from];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (this.#seen[index] === this.#round) continue;
      this.#seen[index] = this.#round;
      const step = this.#steps[index];
      switch (step.op) {
        case "done":
          return true;
        case "take":
          waiting.push(index);
          break;
        case "split":
          open.push(...step.to);
          break;
        case "start":
          if (atStart) open.push(index + 1);
          break;
        case "end":
          if (atEnd) open.push(index + 1);
          else waiting.push(index);
          break;
      }
    }
    return false;
  }

  #push(step: Step): number {
    if (this.#steps.length >= MAX_STEPS) {
      throw new SyntaxError(`more than ${MAX_STEPS} steps`);
    }
    return this.#steps.push(step) - 1;
  }

  #emit(node: Node): void {
    switch (node.type) {
      case "set":
        this.#push({ op: "take", has: node.has });
        break;
      case "start":
      case "end":
        this.#push({ op: node.type });
        break;
      case "sequence":
        for (const part of node.of) this.#emit(part);
        break;
      case "choice":
        this.#emitChoice(node.of);
        break;
      case "repeat":
        for (let i = 0; i < node.min; i++) this.#emit(node.of);
        if (node.max === Infinity) this.#emitLoop(node.of);
        else this.#emitOptions(node.of, node.max - node.min);
        break;
    }
  }

  #emitChoice(ways: readonly Node[]): void {
    const split: number[] = [];
    this.#push({ op: "split", to: split });
    const ends: number[][] = [];
    for (const way of ways) {
      split.push(this.#steps.length);
      this.#emit(way);
      const end: number[] = [];
      ends.push(end);
      this.#push({ op: "split", to: end });
    }
    for (const end of ends) end.push(this.#steps.length);
  }

  #emitLoop(of: Node): void {
    const split: number[] = [];
    const begin = this.#push({ op: "split", to: split });
    split.push(this.#steps.length);
    this.#emit(of);
    this.#push({ op: "split", to: [begin] });
    split.push(this.#steps.length);
  }

  #emitOptions(of: Node, count: number): void {
    const splits: number[][] = [];
    for (let i = 0; i < count; i++) {
      const split: number[] = [];
      splits.push(split);
      this.#push({ op: "split", to: split });
      split.push(this.#steps.length);
      this.#emit(of);
    }
    for (const split of splits) split.push(this.#steps.length);
  }
}
