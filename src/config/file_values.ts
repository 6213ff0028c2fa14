// What values in the file may be, each with its JSON Schema for editors.
import { z } from "zod";
import { ValueError } from "./error.ts";
import { type Kind, shownValue } from "./kinds.ts";

/** JSON Schema of a value as it is written. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Any value may come from the environment. */
const VARIABLE: JsonSchema = { type: "string", pattern: "\\$\\{" };

/** A value that is read by a function which throws `ValueError`. */
export function valueOf<T>(parse: (input: unknown) => T, json: JsonSchema) {
  return z.unknown().meta(json).transform((input, context): T => {
    try {
      return parse(input);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const { problem, allowed, value } = error;
      const params = { allowed, isSecret: value === null };
      context.issues.push({ code: "custom", input, message: problem, params });
      return z.NEVER;
    }
  });
}

/** The text of a single value. Throws `ValueError`. */
export function textOf(input: unknown, allowed: string): string {
  if (typeof input === "string") return input;
  if (typeof input === "number" || typeof input === "boolean") return String(input);
  throw new ValueError(kindOfValue(input), allowed);
}

/** What a value is that should be another: `is a list`. */
export function kindOfValue(input: unknown): string {
  if (input === undefined) return "is missing";
  if (input === null) return "is empty";
  if (Array.isArray(input)) return "is a list";
  if (typeof input === "object") return "is a map";
  return typeof input === "string" ? "is a text" : `is a ${typeof input}`;
}

/** What a flag takes, read as the flag reads it. */
export function ofKind<T>(kind: Kind<T>, description?: string) {
  return valueOf((input) => kind.parse(textOf(input, kind.allowed)), {
    ...jsonOfKind(kind),
    ...(description === undefined ? {} : { description }),
  });
}

/**
 * As `ofKind`, but what comes of it is the flag's text. A list is the same as its members with
 * commas between.
 */
export function textOfKind(kind: Kind<unknown>, json: JsonSchema) {
  return valueOf((input) => {
    const { allowed } = kind;
    const text = Array.isArray(input)
      ? input.map((member) => textOf(member, allowed)).join(",")
      : textOf(input, allowed);
    kind.parse(text);
    return text;
  }, { ...jsonOfKind(kind), ...json });
}

function jsonOfKind(kind: Kind<unknown>): JsonSchema {
  return { title: formOfKind(kind), ...typeOfKind(kind) };
}

/** In few words, for whoever writes it. */
function formOfKind(kind: Kind<unknown>): string {
  const { placeholder } = kind;
  if (placeholder === "") return "true or false";
  return placeholder === "n" ? "number" : shownValue(kind);
}

function typeOfKind({ placeholder, words }: Kind<unknown>): JsonSchema {
  switch (placeholder) {
    case "":
      return { anyOf: [{ type: "boolean" }, VARIABLE] };
    case "word":
      // YAML reads on as a text, true as none.
      return {
        anyOf: [{ enum: words?.includes("on") ? [...words, true, false] : words }, VARIABLE],
      };
    case "n":
      return { anyOf: [{ type: "integer" }, VARIABLE] };
    case "size":
    case "time":
      return { type: ["string", "integer"] };
    case "port":
      return { type: ["integer", "string"] };
    case "ranges":
    case "protocols":
      return {
        anyOf: [{ type: "array", items: { type: ["string", "integer"] } }, { type: "string" }],
      };
    default:
      return { type: "string" };
  }
}

/** What is told of a text. */
export interface TextSpec {
  /** Which texts fit. */
  readonly allowed: string;
  readonly meaning: string;
  /** What is told of one that does not. */
  readonly problem?: string;
}

/** A text that fits. */
export function text(fits: (text: string) => boolean, { allowed, meaning, problem }: TextSpec) {
  return valueOf((input) => {
    const value = textOf(input, allowed);
    if (!fits(value)) throw new ValueError(problem ?? "can't be used", allowed);
    return value;
  }, { type: "string", title: allowed, description: meaning });
}

/** A map with these keys and no others; all of them may be left out. */
export function map<Shape extends z.core.$ZodLooseShape>(shape: Shape, description?: string) {
  const known = Object.keys(shape);
  const section = z.strictObject(shape, {
    error: (issue) => {
      // Told to whoever reads the issue, which has no other way to know.
      if (issue.code === "unrecognized_keys") return JSON.stringify(known);
      return undefined;
    },
  });
  return description === undefined ? section : section.meta({ description });
}

/** A list, or one of what would be in it. */
export function oneOrMore<Item extends z.core.$ZodType>(item: Item, description?: string) {
  return z.preprocess(
    (input) => input === undefined || Array.isArray(input) ? input : [input],
    z.array(item).meta({ oneOrMore: true, ...(description === undefined ? {} : { description }) }),
  );
}

/** The JSON Schema of a whole file, for editors. */
export function toJsonSchema(schema: z.core.$ZodType, head: JsonSchema): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      const json = jsonSchema as Record<string, unknown>;
      if (json.oneOrMore !== true) return;
      const { type, items } = json;
      delete json.oneOrMore;
      delete json.type;
      delete json.items;
      json.anyOf = [items, { type, items }];
    },
  });
  const { $schema, ...rest } = made;
  return { $schema, ...head, ...rest };
}
