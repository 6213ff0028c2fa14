import { z } from "zod";
import { cmuxSchema } from "./file_cmux.ts";
import { defaultsSchema, routeSchema } from "./file_route.ts";
import { tunnelShape } from "./file_tunnel.ts";
import { type JsonSchema, map, ofKind, textOfKind, toJsonSchema } from "./file_values.ts";
import type { Flag } from "./flags.ts";
import { choice, file, type Kind } from "./kinds.ts";
import { LOG_FORMATS, LOG_LEVELS, proxyFlags } from "./proxy.ts";

/** A flag of such a name does not stand in the file: a section does, or the file itself is named. */
const SECTIONS = ["certificates", "log", "defaults", "routes", "cmux", "config"];

const topFlags = Object.values(proxyFlags as Record<string, Flag<unknown>>)
  .filter(({ name }) => !SECTIONS.includes(name));

/** What the file may say at its top in the place of a flag: by the flag's name. */
export const TOP_KINDS: Readonly<Record<string, Kind<unknown>>> = Object.fromEntries(
  topFlags.map(({ name, kind }) => [name, kind]),
);

const flags = Object.fromEntries(
  topFlags.map(({ name, kind, meaning: description, default: text }) => {
    const json = text === "" ? { description } : { description, default: text };
    return [name, textOfKind(kind, json).optional()];
  }),
);

const certificate = map({
  cert: ofKind(file, "the chain in PEM"),
  key: ofKind(file, "its private key in PEM"),
});

const SECTION_SHAPE = {
  certificates: z.array(certificate).meta({
    description:
      "instead of cert and key: several, chosen over TCP by the name that a client asks for (SNI); the " +
      "first is the default, and that of HTTP/3",
  }).optional(),
  log: map({
    level: textOfKind(choice(LOG_LEVELS), { description: proxyFlags.logLevel.meaning }).optional(),
    format: textOfKind(choice(LOG_FORMATS), { description: proxyFlags.logFormat.meaning })
      .optional(),
  }, "the same as log-level and log-format").optional(),
  defaults: defaultsSchema.optional(),
  routes: z.array(routeSchema).meta({
    description:
      "the most special host goes first, then the most special path, then the order here",
  }).optional(),
  cmux: cmuxSchema.optional(),
  ...tunnelShape,
};

const sections = map(SECTION_SHAPE);

/** The whole file, as it is written. */
export const fileSchema = map({ ...flags, ...SECTION_SHAPE });

/** What comes of the sections; all else are texts of flags. */
export type FileSections = z.output<typeof sections>;

/** The JSON Schema of the file, for editors. */
export function fileJsonSchema(): JsonSchema {
  return toJsonSchema(fileSchema, {
    title: "h3ws.yaml",
    description: "Configuration of h3ws. Texts may have ${NAME} and ${NAME:-default} in them.",
    patternProperties: { "^x-": { description: "says nothing: a place for anchors" } },
  });
}
