/** The keys of a configuration file as tables in Markdown, from its JSON Schema. */

import { fileJsonSchema, TOP_KINDS } from "../src/config/file_schema.ts";
import type { JsonSchema } from "../src/config/file_values.ts";
import { ScriptError } from "./project.ts";

/** Its parts: the sections of the file, the keys of a route, those of cmux, those of the tunnel. */
export function fileKeyParts(): Map<string, string> {
  const { routes, defaults, cmux, proxy, gateway, client, ...others } = propertiesOf(
    fileJsonSchema(),
  );
  const route = itemsOf(routes);
  const sections = Object.entries(others).filter(([name]) => !(name in TOP_KINDS));
  const heads = Object.entries({ defaults, routes, cmux, proxy, gateway, client })
    .map(([key, schema]) => row(key, schema));
  return new Map([
    ["sections of the file", table([...rowsOf(Object.fromEntries(sections)), ...heads])],
    ["keys of a route", `${table(rowsOf(propertiesOf(route)))}\n${inDefaults(route, defaults)}`],
    ["keys of cmux", table(rowsOf(propertiesOf(cmux)))],
    ["keys of the tunnel", table(rowsOf({ gateway, proxy, client }))],
  ]);
}

type Row = readonly [key: string, form: string, meaning: string];

/** A row for each key, those in a map behind that of the map, with a dot between. */
function rowsOf(properties: Readonly<Record<string, JsonSchema>>, before = ""): Row[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const key = before + name;
    const isList = schema.type === "array";
    const inside = isList ? itemsOf(schema) : schema;
    // What has a form of its own is told by that.
    if (inside.properties === undefined || inside.title !== undefined) return [row(key, schema)];
    return [
      row(key, schema),
      ...rowsOf(propertiesOf(inside), `${key}${isList ? "[]" : ""}.`),
    ];
  });
}

function row(key: string, schema: JsonSchema): Row {
  const { description } = schema;
  // Who adds a key tells what it is for.
  if (typeof description !== "string") throw new ScriptError(`${key} has no description`);
  return [key, formOf(schema), description];
}

function formOf(schema: JsonSchema): string {
  if (typeof schema.title === "string") return schema.title;
  if (schema.type === "array") return "list of maps";
  if (schema.type === "object") return "map";
  const [one, many] = schema.anyOf as JsonSchema[];
  if (many?.type !== "array") throw new ScriptError(`no form: ${JSON.stringify(schema)}`);
  return `${formOf(one)}, or a list`;
}

function propertiesOf({ properties }: JsonSchema): Record<string, JsonSchema> {
  return properties as Record<string, JsonSchema>;
}

function itemsOf({ items }: JsonSchema): JsonSchema {
  return items as JsonSchema;
}

function inDefaults(route: JsonSchema, defaults: JsonSchema): string {
  const shared = Object.keys(propertiesOf(defaults));
  const own = Object.keys(propertiesOf(route)).filter((name) => !shared.includes(name));
  return `In \`defaults\` can stand ${list(shared)}; in a route alone ${list(own)}.\n`;
}

function list(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``);
  return `${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)}`;
}

function table(rows: readonly Row[]): string {
  const cells = rows.map(([key, ...texts]) => [
    `\`${key}\``,
    ...texts.map((text) => text.replaceAll("|", "\\|")),
  ]);
  const head = ["key", "form", "meaning"];
  return [head, head.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |\n`).join("");
}
