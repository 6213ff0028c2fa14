import { plainFlag } from "../config/flags.ts";
import { choice } from "../config/kinds.ts";
import { type Command, defineCommand, ExitCode } from "./command.ts";
import { bashScript } from "./completions_bash.ts";
import { fishScript } from "./completions_fish.ts";
import { specsOf } from "./completions_spec.ts";
import { zshScript } from "./completions_zsh.ts";
import { LISTED } from "./listed.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `h3ws completions`: a script that lets a shell complete command lines of `commands`. */
export function completionsCommand(commands: () => Promise<readonly Command[]>): Command {
  return defineCommand({
    ...LISTED.completions,
    flags: {
      shell: plainFlag({
        ...{ name: "shell", kind: choice(["bash", "zsh", "fish"]), default: "bash" },
        meaning: "which shell",
      }),
    },
    positional: "shell",
    async run({ shell }, io) {
      io.out(SCRIPTS[shell](specsOf(await commands())));
      return ExitCode.OK;
    },
  });
}
