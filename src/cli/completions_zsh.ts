import { type CommandSpec, type FlagSpec, UNNAMED, type Value } from "./completions_spec.ts";

/** A script for zsh, as a file `_h3ws` of its fpath or to be sourced. */
export function zshScript(commands: readonly CommandSpec[]): string {
  const described = commands.map(({ name, about }) => `    ${quoted(`${name}:${about}`)}\n`);
  return `#compdef h3ws
# Completion of h3ws for zsh: source <(h3ws completions zsh), behind compinit
_h3ws() {
  local command=${UNNAMED}
  local -a commands
  commands=(
${described.join("")}  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  if [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${commands.map(commandCase).join("")}  esac
}
if [[ $funcstack[1] == _h3ws ]]; then
  _h3ws "$@"
else
  compdef _h3ws h3ws
fi
`;
}

function commandCase({ name, flags, positional }: CommandSpec): string {
  const specs = [
    ...flags.map(flagSpec),
    // Its message alone would keep zsh from putting in the one flag that fits.
    ...(positional === null || positional.kind === "any"
      ? []
      : [quoted(`1:${actionOf(positional)}`)]),
  ];
  return `    ${name})\n      _arguments ${specs.join(" \\\n        ")}\n      ;;\n`;
}

// '(-s --long)'{-s,--long}'[about]:noun:action', with a * before it where it may come again.
function flagSpec({ name, short, about, value, isMany }: FlagSpec): string {
  const rest = `[${escaped(about)}]${value === null ? "" : `:${actionOf(value)}`}`;
  const many = isMany ? "*" : "";
  if (short === null) return quoted(`${many}--${name}${rest}`);
  if (isMany) return `'*'{-${short},--${name}}${quoted(rest)}`;
  return `'(-${short} --${name})'{-${short},--${name}}${quoted(rest)}`;
}

function actionOf(value: Value): string {
  switch (value.kind) {
    case "words":
      return `word:(${value.words.map(escaped).join(" ")})`;
    case "file":
      return "file:_files";
    case "directory":
      return "directory:_files -/";
    case "any":
      return `${escaped(value.noun)}: `;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
