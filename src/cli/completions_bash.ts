import { type CommandSpec, type FlagSpec, UNNAMED, type Value } from "./completions_spec.ts";

/** A script for bash, 3.2 and later. */
export function bashScript(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `# Completion of h3ws for bash: source <(h3ws completions bash)
_h3ws() {
  local IFS=$' \\t\\n' cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local command=${UNNAMED} flags= value=
  # --flag=value is three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if [[ $COMP_CWORD -gt 1 && \${COMP_WORDS[1]} != -* ]]; then command=\${COMP_WORDS[1]}; fi
  case $command in
${commands.map(commandCase).join("")}  esac
  case "$command $prev" in
${commands.flatMap(valueCases).join("")}  esac
  if [[ -z $value && $cur != -* ]]; then
    if [[ $COMP_CWORD -eq 1 ]]; then
      value="words ${names}"
    else
      case $command in
${commands.map(positionalCase).join("")}      esac
    fi
  fi
  case $value in
    words*) COMPREPLY=($(compgen -W "\${value#words}" -- "$cur")) ;;
    file|directory)
      local IFS=$'\\n' kind=-f
      if [[ $value == directory ]]; then kind=-d; fi
      compopt -o filenames 2> /dev/null
      COMPREPLY=($(compgen "$kind" -- "$cur"))
      ;;
    any) COMPREPLY=() ;;
    *) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
  esac
}
complete -F _h3ws h3ws
`;
}

function commandCase({ name, flags }: CommandSpec): string {
  return `    ${name}) flags="${flags.flatMap(namesOf).join(" ")}" ;;\n`;
}

function namesOf({ name, short }: FlagSpec): string[] {
  return [`--${name}`, ...(short === null ? [] : [`-${short}`])];
}

function valueCases({ name, flags }: CommandSpec): string[] {
  return flags.flatMap((flag) => {
    if (flag.value === null) return [];
    const pattern = namesOf(flag).map((one) => `"${name} ${one}"`).join("|");
    return `    ${pattern}) value="${textOf(flag.value)}" ;;\n`;
  });
}

function positionalCase({ name, positional }: CommandSpec): string {
  return positional === null ? "" : `        ${name}) value="${textOf(positional)}" ;;\n`;
}

function textOf(value: Value): string {
  return value.kind === "words" ? `words ${value.words.join(" ")}` : value.kind;
}
