import { plainFlag } from "../config/flags.ts";
import { file, onOrOff } from "../config/kinds.ts";
import type { FileConfig } from "../config/file.ts";
import { proxyFlags, readProxyConfig } from "../config/proxy.ts";
import { type Command, defineCommand, ExitCode } from "./command.ts";
import { gatewayOf, readConfig } from "./configured.ts";
import { LISTED } from "./listed.ts";

const checkFlags = {
  file: plainFlag({
    name: "file",
    kind: file,
    default: "h3ws.yaml",
    meaning: "the configuration file; may stand without --file",
  }),
  files: plainFlag({
    name: "files",
    kind: onOrOff,
    default: "on",
    meaning:
      "read the files that it names too (certificates, keys, port maps); off for a file that is for " +
      "another machine",
  }),
};

/**
 * `h3ws check`: whether a configuration file is right, and what it names, without starting anything.
 * Its exit code is the one of a start.
 */
export const checkCommand: Command = defineCommand({
  ...LISTED.check,
  flags: checkFlags,
  positional: "file",
  async run({ file, files }, io) {
    // The libraries for it are large, and few other commands need them.
    const { ConfigFileError, faultLine, withFile } = await import("../config/file.ts");
    const { namedFileFaults } = await import("./check_files.ts");
    try {
      const config = await readConfig(file, io.env);
      // As h3ws proxy would begin with it; flags may still say more.
      if (isOfProxy(config)) await gatewayOf(config, readProxyConfig({}, withFile(config, {})));
      const faults = files ? await namedFileFaults(config) : [];
      if (faults.length === 0) {
        io.out(`${file} is right: ${summaryOf(config)}\n`);
        return ExitCode.OK;
      }
      // As at a start: what it says is right, but what it names can't be had.
      io.err(faults.map((fault) => `${faultLine(fault)}\n`).join(""));
      return ExitCode.FAILED;
    } catch (error) {
      if (!(error instanceof ConfigFileError)) throw error;
      io.err(`${error.message}\n`);
      return ExitCode.USAGE;
    }
  },
});

/** Whether it says where a proxy leads to: then its gateway is in the same process. */
function isOfProxy({ hasRoutes, flags }: FileConfig): boolean {
  return hasRoutes || flags[proxyFlags.backend.name] !== undefined;
}

/** `3 routes (1 off), 4 backends, 2 certificates, cmux`. */
function summaryOf({ routes, certificates, flags, cmux, tunnel }: FileConfig): string {
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
    ...(tunnel.gateway === null ? [] : ["gateway"]),
    ...(tunnel.agent === null ? [] : ["agent"]),
  ];
  return parts.join(", ");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
