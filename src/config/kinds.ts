import { parseAddress } from "../net/address.ts";
import type { Address } from "../net/address.ts";
import { type Backend, parseBackend } from "./backend.ts";
import { CIDRS_ALLOWED, type IpPredicate, parseCidrs } from "./cidr.ts";
import { quote, ValueError } from "./error.ts";
import { parsePathRule, PATH_ALLOWED, type PathRule } from "./path.ts";
import { formatDuration, formatSize, parseCount, parseDuration, parseSize } from "./units.ts";

/** What a flag's text may be, and what is made of it. */
export interface Kind<T> {
  /** Stands for the value in the help; empty for a switch, which needs no value. */
  readonly placeholder: string;
  /**
   * The words that it takes, which a shell completes: alone where the placeholder is "word", else
   * beside what that stands for.
   */
  readonly words?: readonly string[];
  readonly allowed: string;
  /** Whether the flag may be given again, each time with one more value. */
  readonly isMany?: boolean;
  /** Whether an empty text is a value; an environment variable that is empty is unset else. */
  readonly takesEmpty: boolean;
  /** Throws `ValueError`. */
  parse(text: string): T;
}

/** What stands for a value in the help: `on|off|port`; empty for a switch. */
export function shownValue({ placeholder, words = [] }: Kind<unknown>): string {
  if (placeholder === "") return "";
  return [...words, ...(placeholder === WORD ? [] : [placeholder])].join("|");
}

const WORD = "word";

/** From and to, both of them allowed. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** How a number is read and shown. */
interface Unit {
  readonly placeholder: string;
  readonly noun: string;
  readonly allowed: string;
  parse(text: string): number | undefined;
  format(value: number): string;
}

/** A number that is neither below nor above that. */
export function ranged(unit: Unit, { min, max }: Range): Kind<number> {
  return {
    placeholder: unit.placeholder,
    allowed: unit.allowed,
    takesEmpty: false,
    parse(text) {
      const value = unit.parse(text);
      if (value === undefined) throw new ValueError(`is not ${unit.noun}`, unit.allowed);
      if (value >= min && value <= max) return value;
      const from = unit.format(min);
      throw new ValueError(
        "is out of range",
        max === Number.MAX_SAFE_INTEGER ? `${from} or more` : `${from} to ${unit.format(max)}`,
      );
    },
  };
}

const SIZE: Unit = {
  placeholder: "size",
  noun: "a size",
  allowed: "bytes, or a number with KiB, MiB, GiB (64KiB, 1MiB)",
  parse: parseSize,
  format: formatSize,
};

/** Bytes. */
export function size({ min = 1, max = Number.MAX_SAFE_INTEGER }: Partial<Range> = {}) {
  return ranged(SIZE, { min, max });
}

const DURATION: Unit = {
  placeholder: "time",
  noun: "a duration",
  allowed: "0, or numbers with h, m, s, ms (120s, 1m30s, 500ms)",
  parse: parseDuration,
  format: formatDuration,
};

// setTimeout takes no more than 2^31-1 milliseconds, which is above 24 days.
export const MAX_DURATION_MS = 576 * 3_600_000;

/** Milliseconds. */
export function duration({ min = 1, max = MAX_DURATION_MS }: Partial<Range> = {}) {
  return ranged(DURATION, { min, max });
}

/** A whole number. */
export function count({ min = 1, max = Number.MAX_SAFE_INTEGER }: Partial<Range> = {}) {
  const allowed = max === Number.MAX_SAFE_INTEGER
    ? `a whole number, ${min} or more`
    : `a whole number from ${min} to ${max}`;
  const unit = { placeholder: "n", noun: "a whole number", allowed, parse: parseCount };
  return ranged({ ...unit, format: String }, { min, max });
}

/** One of these words. */
export function choice<const T extends string>(words: readonly T[]): Kind<T> {
  const allowed = words.join(", ");
  return {
    placeholder: WORD,
    words,
    allowed,
    takesEmpty: false,
    parse(text) {
      const word = words.find((word) => word === text.toLowerCase());
      if (word === undefined) throw new ValueError("is not known", allowed);
      return word;
    },
  };
}

const PROXY_WORDS = choice(["off", "v1", "v2"]);
const PROXY_VERSIONS = { off: null, v1: 1, v2: 2 } as const;

/** A version of the PROXY protocol, or `off` for none. */
export const proxyVersion: Kind<1 | 2 | null> = {
  ...PROXY_WORDS,
  parse: (text) => PROXY_VERSIONS[PROXY_WORDS.parse(text)],
};

const ON = ["true", "1", "yes", "on"];
const OFF = ["false", "0", "no", "off"];

/** A switch, in these two words or those that mean the same. */
function eitherOf(on: string, off: string): Kind<boolean> {
  const allowed = `${on} or ${off}`;
  return {
    placeholder: "",
    allowed,
    words: [on, off],
    takesEmpty: false,
    parse(text) {
      const word = text.toLowerCase();
      if (ON.includes(word)) return true;
      if (OFF.includes(word)) return false;
      throw new ValueError(`is neither ${on} nor ${off}`, allowed);
    },
  };
}

/** On or off; a flag without a value is on. */
export const onOff: Kind<boolean> = eitherOf("true", "false");

/** On or off, for what is on by default: it takes a value. */
export const onOrOff: Kind<boolean> = {
  ...eitherOf("on", "off"),
  placeholder: WORD,
  words: ["on", "off"],
};

// No argument of a process has a NUL in it.
const END = "\0";

/** A flag's text with one more value, for a flag of `many`. */
export function addValue(value: string, before = ""): string {
  return before + value + END;
}

/** Any number of values, each by the flag once more. */
export function many<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    ...kind,
    isMany: true,
    parse(text) {
      const values = text === "" ? [] : text.replace(/\0$/, "").split(END);
      return values.map((value) => parseOne(kind, value));
    },
  };
}

function parseOne<T>(kind: Kind<T>, value: string): T {
  try {
    return kind.parse(value);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const { problem, allowed, value: own = value } = error;
    throw new ValueError(problem, allowed, own);
  }
}

const FILE_ALLOWED = "the path of a file";

/** A file's path; whether it is there shows when it is read. */
export const file: Kind<string> = {
  placeholder: "file",
  allowed: FILE_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "" || text.includes("\0")) throw new ValueError("is not a path", FILE_ALLOWED);
    return text;
  },
};

/** A file's path, or empty for none. */
export const optionalFile: Kind<string | null> = {
  ...file,
  takesEmpty: true,
  parse: (text) => text === "" ? null : file.parse(text),
};

const ADDRESS_ALLOWED = "host:port, [IPv6]:port, or :port for every interface";

/** Where to listen. */
export const address: Kind<Address> = {
  placeholder: "address",
  allowed: ADDRESS_ALLOWED,
  takesEmpty: false,
  parse: (text) => required(parseAddress(text), "is not an address", ADDRESS_ALLOWED),
};

const OPTIONAL_ADDRESS_ALLOWED = `${ADDRESS_ALLOWED}; off for none`;

/** Where to listen, or `off` or empty for nowhere. */
export const optionalAddress: Kind<Address | null> = {
  placeholder: "address",
  words: ["off"],
  allowed: OPTIONAL_ADDRESS_ALLOWED,
  takesEmpty: true,
  parse(text) {
    if (text === "" || text.toLowerCase() === "off") return null;
    return required(parseAddress(text), "is not an address", OPTIONAL_ADDRESS_ALLOWED);
  },
};

const BACKEND_ALLOWED =
  "ws://host:port, wss://host/path (or http, https), ws+unix:/path.sock:/path, or " +
  "agent://group/host:port (agent+tls), without user, query and fragment";

export const backend: Kind<Backend> = {
  placeholder: "url",
  allowed: BACKEND_ALLOWED,
  takesEmpty: false,
  parse: (text) => required(parseBackend(text), "is not a backend", BACKEND_ALLOWED),
};

export const pathRule: Kind<PathRule> = {
  placeholder: "path",
  allowed: PATH_ALLOWED,
  takesEmpty: false,
  parse: parsePathRule,
};

/** Some IP addresses. */
export const cidrs: Kind<IpPredicate> = {
  placeholder: "ranges",
  allowed: CIDRS_ALLOWED,
  takesEmpty: true,
  parse: parseCidrs,
};

const PROTOCOLS_ALLOWED = "protocols with commas between them (websocket, foo), or * for any";

/** What may be upgraded to, in lower case. */
export const protocols: Kind<readonly string[]> = {
  placeholder: "protocols",
  allowed: PROTOCOLS_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const names = text.toLowerCase().split(",").map((name) => name.trim());
    const bad = names.find((name) => name !== "*" && !/^[-!#$%&'+.^_`|~0-9a-z]+$/.test(name));
    if (bad !== undefined) throw new ValueError(`holds ${quote(bad)}`, PROTOCOLS_ALLOWED);
    return names;
  },
};

const ALT_SVC_ALLOWED = "a port, on for that of --listen, or off";

/** The port that Alt-Svc names: 0 for that of `--listen`, `null` for no Alt-Svc. */
export const altSvc: Kind<number | null> = {
  placeholder: "port",
  words: ["on", "off"],
  allowed: ALT_SVC_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const word = text.toLowerCase();
    if (word === "on") return 0;
    if (word === "off") return null;
    const port = parseCount(word);
    if (port === undefined || port < 1 || port > 65_535) {
      throw new ValueError("is not a port", ALT_SVC_ALLOWED);
    }
    return port;
  },
};

function required<T>(value: T | undefined, problem: string, allowed: string): T {
  if (value === undefined) throw new ValueError(problem, allowed);
  return value;
}
