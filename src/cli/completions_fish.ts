import { type CommandSpec, type FlagSpec, UNNAMED, type Value } from "./completions_spec.ts";

/** A script for fish. */
export function fishScript(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name);
  const none = `not __fish_seen_subcommand_from ${names.join(" ")}`;
  const lines = [
    "# Completion of h3ws for fish: h3ws completions fish | source",
    "complete -c h3ws -f",
    ...commands.map(({ name, about }) =>
      `complete -c h3ws -n ${quoted(none)} -a ${name} -d ${quoted(about)}`
    ),
    ...commands.flatMap((command) => commandLines(command, none)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function commandLines({ name, flags, positional }: CommandSpec, none: string): string[] {
  const named = `__fish_seen_subcommand_from ${name}`;
  const condition = quoted(name === UNNAMED ? `${named}; or ${none}` : named);
  return [
    ...flags.map((flag) => `complete -c h3ws -n ${condition} ${flagOptions(flag)}`),
    ...(positional === null || positional.kind === "any" ? [] : [
      `complete -c h3ws -n ${quoted(named)} ${valueOptions(positional)}`,
    ]),
  ];
}

function flagOptions({ name, short, about, value }: FlagSpec): string {
  return [
    ...(short === null ? [] : [`-s ${short}`]),
    `-l ${name}`,
    ...(value === null ? [] : [value.kind === "file" ? "-r" : "-x", valueOptions(value)]),
    `-d ${quoted(about)}`,
  ].filter((option) => option !== "").join(" ");
}

function valueOptions(value: Value): string {
  switch (value.kind) {
    case "words":
      return `-a ${quoted(value.words.join(" "))}`;
    case "file":
      return "-F";
    case "directory":
      return "-a '(__fish_complete_directories)'";
    case "any":
      return "";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
