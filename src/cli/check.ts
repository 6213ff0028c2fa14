import { plainFlag } from "../config/flags.ts";
import { file } from "../config/kinds.ts";
import type { FileConfig } from "../config/file.ts";
import { type Command, CommandError, defineCommand, ExitCode } from "./command.ts";
import { shortReason } from "./files.ts";

const checkFlags = {
  file: plainFlag({
    name: "file",
    kind: file,
    default: "h3ws.yaml",
    meaning: "the configuration file; may stand without --file",
  }),
};

/** `h3ws check`: whether a configuration file is right, without starting anything. */
export const checkCommand: Command = defineCommand({
  name: "check",
  summary: "check a configuration file: all that is wrong in it, each with its line",
  flags: checkFlags,
  positional: "file",
  examples: ["h3ws check h3ws.yaml"],
  async run({ file }, io) {
    // The libraries for it are large, and few other commands need them.
    const { ConfigFileError, readConfigFile } = await import("../config/file.ts");
    try {
      io.out(`${file} is right: ${summaryOf(await readConfigFile(file, io.env))}\n`);
      return ExitCode.OK;
    } catch (error) {
      if (error instanceof ConfigFileError) {
        io.err(`${error.message}\n`);
        return ExitCode.USAGE;
      }
      throw new CommandError(`Cannot read ${file}: ${shortReason(error)}`, { cause: error });
    }
  },
});

/** `3 routes (1 off), 4 backends, 2 certificates, cmux`. */
function summaryOf({ routes, certificates, flags, cmux }: FileConfig): string {
  const off = routes.filter(({ enabled }) => !enabled).length;
  const backends = new Set(
    routes.flatMap((route) =>
      route.backends.length === 0 ? flags.backend : route.backends.map(({ url }) => url)
    ),
  );
  const parts = [
    count(routes.length, "route") + (off === 0 ? "" : ` (${off} off)`),
    ...(backends.size === 0 ? [] : [count(backends.size, "backend")]),
    ...(certificates.length === 0 ? [] : [count(certificates.length, "certificate")]),
    count(Object.keys(flags).length, "other setting"),
    ...(cmux?.enabled ? ["cmux"] : []),
  ];
  return parts.join(", ");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
