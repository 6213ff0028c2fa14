import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import type { Environment } from "./flags.ts";
import type { Place } from "./file_fault.ts";

/** The way to a value: names of keys, and indices in lists. */
export type Path = readonly (string | number)[];

/** Something that is wrong with the file before its values are looked at. */
export interface YamlFault extends Place {
  readonly path: Path;
  readonly value: string | null;
  readonly problem: string;
}

/** Where the value of a path stands. */
export interface Found {
  /** As the path would be written: a single value counts as a list of one. */
  readonly key: string;
  readonly value: Place;
  /** Of the key, where it has one. */
  readonly name: Place;
  /** The value's text, where it is but one. */
  readonly text: string | null;
}

/** Faults that no other one brings with it. */
const STANDS_ALONE: ReadonlySet<string> = new Set(["DUPLICATE_KEY", "TAG_RESOLVE_FAILED"]);
const TOP: Place = { line: 1, column: 1 };
/** `$${` is a `${` that stays. */
const VARIABLE = /\$\$\{|\$\{([^}]*)\}?/g;
const VARIABLE_NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/;

/**
 * A file in YAML 1.2, with anchors and merge keys; its values as plain data, and the place of each.
 * In texts `${NAME}` and `${NAME:-default}` are replaced from the environment; what comes from
 * there stays one text, whatever is in it.
 */
export class YamlFile {
  readonly value: unknown;
  readonly faults: readonly YamlFault[];
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string, env: Environment) {
    const faults: YamlFault[] = [];
    this.faults = faults;
    let value: unknown = null;
    try {
      this.#document = parseDocument(text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        merge: true,
      });
      faults.push(...this.#syntaxFaults(text));
      if (faults.length === 0) faults.push(...this.#nodeFaults());
      if (faults.length === 0) faults.push(...this.#replaceVariables(env));
      // Of a file with mistakes in its form the values mean nothing.
      if (!faults.some(({ path }) => path.length === 0)) value = this.#document.toJS();
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof ReferenceError)) throw error;
      this.#document ??= parseDocument("");
      faults.push({ ...TOP, path: [], value: null, problem: tooMuch(error) });
    }
    this.value = value;
  }

  /** Where it stands; where it is not there, the nearest thing around it. */
  find(path: Path): Found {
    let node = this.#resolved(this.#document.contents);
    let value = node === null ? TOP : this.#placeOf(node);
    let name = value;
    let key = "";
    for (const part of path) {
      if (isSeq(node) && typeof part === "number") {
        key += `[${part}]`;
        node = this.#resolved(node.items[part]);
        if (node !== null) name = value = this.#placeOf(node);
      } else if (typeof part === "string") {
        key += key === "" ? part : `.${part}`;
        const pair = isMap(node) ? this.#pairOf(node, part) : undefined;
        if (pair === undefined) {
          node = null;
          continue;
        }
        name = this.#placeOf(pair.key as Node);
        node = this.#resolved(pair.value);
        value = node === null || isEmpty(node) ? name : this.#placeOf(node);
      }
    }
    const text = isScalar(node) && !isEmpty(node) ? String(node.value) : null;
    return { key, value, name, text };
  }

  /** What is wrong with its form: of what follows from one mistake, the first alone. */
  #syntaxFaults(text: string): YamlFault[] {
    const { errors, warnings } = this.#document;
    const all = [...errors, ...warnings];
    const first = all.find(({ code }) => !STANDS_ALONE.has(code));
    return all.filter((error) => error === first || STANDS_ALONE.has(error.code)).map((error) => {
      const { code, message, pos: [offset] } = error;
      const fault = { ...this.#placeAt(offset), path: [] };
      const word = /^[^\s:,{}[\]]+/.exec(text.slice(offset))?.[0] ?? null;
      if (code === "DUPLICATE_KEY") return { ...fault, value: word, problem: "is there twice" };
      return { ...fault, value: null, problem: problemOf(code, message) };
    });
  }

  /** Aliases of nothing, merges of what is no map, and keys that are no text. */
  #nodeFaults(): YamlFault[] {
    const faults: YamlFault[] = [];
    const wrong = (node: Node, value: string | null, problem: string) =>
      faults.push({ ...this.#placeOf(node), path: [], value, problem });
    visit(this.#document, {
      Alias: (_, node) => {
        const to = node.resolve(this.#document);
        const name = `*${node.source}`;
        if (to === undefined) wrong(node, name, "is an alias of nothing before it");
        else if (contains(to, node)) wrong(node, name, "is an alias of what it stands in");
      },
      Pair: (_, { key, value }) => {
        if (!isScalar(key)) wrong((key ?? value) as Node, null, "a key must be a text");
        if (!isMergeKey(key)) return;
        const merged = this.#resolved(value);
        const all = isSeq(merged) ? merged.items : [merged];
        if (!all.every((one) => isMap(this.#resolved(one)))) {
          wrong(key, "<<", "merges what is no map");
        }
      },
    });
    return faults;
  }

  #replaceVariables(env: Environment): YamlFault[] {
    const faults: YamlFault[] = [];
    visit(this.#document, {
      Scalar: (key, node, ancestors) => {
        if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
        const path = pathOf([...ancestors, node]);
        const wrong = (value: string, problem: string) =>
          faults.push({ ...this.#placeOf(node), path, value, problem });
        replaceIn(node, env, wrong);
      },
    });
    return faults;
  }

  /** What an alias stands for. */
  #resolved(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.#document) ?? null;
    return (node ?? null) as Node | null;
  }

  /** Its own key goes before one that was merged in. */
  #pairOf(map: YAMLMap, name: string): Pair | undefined {
    const own = map.items.find(({ key }) => isScalar(key) && String(key.value) === name);
    if (own !== undefined) return own;
    for (const { key, value } of map.items) {
      if (!isMergeKey(key)) continue;
      const merged = this.#resolved(value);
      for (const one of isSeq(merged) ? merged.items : [merged]) {
        const from = this.#resolved(one);
        const pair = isMap(from) ? this.#pairOf(from, name) : undefined;
        if (pair !== undefined) return pair;
      }
    }
    return undefined;
  }

  #placeOf(node: Node): Place {
    return this.#placeAt(node.range?.[0] ?? 0);
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return line === 0 ? TOP : { line, column: col };
  }
}

function problemOf(code: string, message: string): string {
  if (code === "MULTIPLE_DOCS") return "a second document begins; there must be one";
  if (/call stack/.test(message)) return "is nested too deeply";
  return message.replace(/\s+/g, " ").replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
}

function isMergeKey(key: unknown): key is Scalar {
  return isScalar(key) && key.source === "<<" && key.type === "PLAIN";
}

function contains(node: Node, alias: Node): boolean {
  let found = false;
  visit(node, { Alias: (_, one) => one === alias ? (found = true, visit.BREAK) : undefined });
  return found;
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

function tooMuch(error: Error): string {
  return error instanceof RangeError ? "is nested too deeply" : "its aliases stand for too much";
}

function replaceIn(
  node: Scalar,
  env: Environment,
  wrong: (value: string, problem: string) => void,
): void {
  node.value = String(node.value).replace(VARIABLE, (text, inside: string | undefined) => {
    if (inside === undefined) return "${";
    const match = text.endsWith("}") ? VARIABLE_NAME.exec(inside) : null;
    if (match === null) {
      wrong(text, "is no variable");
      return "";
    }
    const [, name, standIn] = match;
    const value = env[name];
    // As in a shell: an empty variable is as good as none where there is a default.
    if (value !== undefined && (value !== "" || standIn === undefined)) return value;
    if (standIn === undefined) wrong(`\${${name}}`, "is not set");
    return standIn ?? "";
  });
}

/** The way through the document to the last of these nodes. */
function pathOf(nodes: readonly unknown[]): Path {
  const path: (string | number)[] = [];
  nodes.forEach((node, i) => {
    const next = nodes[i + 1];
    if (isSeq(node)) path.push(node.items.indexOf(next));
    else if (isMap(node)) path.push(String((next as Pair<Scalar>).key?.value));
  });
  return path;
}
