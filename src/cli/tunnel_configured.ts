import { agentFlags } from "../config/agent.ts";
import type { FileConfig } from "../config/file.ts";
import { type Environment, type FlagTable, type FlagValues, readFlags } from "../config/flags.ts";
import { gatewayFlags } from "../config/gateway.ts";
import { proxyFlags } from "../config/proxy.ts";
import type { Log } from "../observe/log.ts";
import type { Watched } from "./file_watches.ts";
import { toldBytes } from "./files.ts";

/** What flags, environment and file say together. */
export interface TunnelConfigured<C> {
  readonly config: C;
  /** `null` without `--config`. */
  readonly file: TunnelFile<C> | null;
}

/** A configuration file, as it was read. */
export interface TunnelFile<C> {
  readonly name: string;
  readonly text: string;
  /** Texts by the names of flags. */
  readonly texts: Readonly<Record<string, string>>;
  /** The same with another text of the file. Throws as `configureTunnel` does. */
  again(text: string): { readonly config: C; readonly file: TunnelFile<C> };
}

/** A command of the tunnel. */
export interface TunnelPart<C> {
  /** Its section in the file. */
  readonly section: "gateway" | "agent";
  readonly read: (flags: FlagValues, env: Environment) => C;
}

const TABLES: Readonly<Record<TunnelPart<unknown>["section"], FlagTable>> = {
  gateway: gatewayFlags,
  agent: agentFlags,
};

/** What of the file's top is about the process, whatever it does. */
const OF_ALL = ["debug", "log-level", "log-format"];

/** As `configure` for the proxy: a flag goes before the environment, and that before the file. */
export async function configureTunnel<C>(
  { section, read }: TunnelPart<C>,
  { flags, env }: { flags: FlagValues; env: Environment },
): Promise<TunnelConfigured<C>> {
  const { configFile: name } = readFlags({ configFile: proxyFlags.configFile }, flags, env);
  if (name === null) return { config: read(flags, env), file: null };
  const bytes = await toldBytes(name);
  // The libraries for it are large, and who goes by flags doesn't need them.
  const { parseConfig, withFile } = await import("../config/file.ts");
  const { decodeFile } = await import("../config/file_read.ts");
  const table = Object.values(TABLES[section]);
  const kinds = Object.fromEntries(table.map(({ name, kind }) => [name, kind]));
  const again = (text: string) => {
    const texts = textsOf(parseConfig(text, { file: name, env }), section);
    const config = read(flags, withFile({ flags: texts }, env, kinds));
    return { config, file: { name, text, texts, again } };
  };
  return again(decodeFile(bytes, name));
}

function textsOf(
  { flags, tunnel }: FileConfig,
  section: "gateway" | "agent",
): Record<string, string> {
  const shared = Object.entries(flags).filter(([name]) => OF_ALL.includes(name));
  return { ...Object.fromEntries(shared), ...tunnel[section] };
}

/**
 * Reads a configuration file again when it changes. `use` takes the part of it that `uses` names;
 * what else has changed waits for a restart, and the log says so.
 */
export function watchConfig<C>(
  first: TunnelFile<C>,
  { uses, use, log }: { uses: readonly string[]; use: (config: C) => void; log: Log },
): Watched {
  const { name, text } = first;
  let left: string[] = [];
  return {
    files: [name],
    subject: name,
    old: "the old one",
    current: [text],
    onChange: ([now]) => {
      const { config, file } = first.again(now);
      use(config);
      left = changed(first.texts, file.texts).filter((one) => !uses.includes(one));
    },
    onReloaded: () => {
      const afterRestart = left.length > 0 && { afterRestart: left.join(", ") };
      log.info("config.reloaded", { file: name, ...afterRestart });
    },
    onError: (message) => log.error("config.error", { file: name, message }),
  };
}

function changed(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => before[name] !== now[name]).sort();
}
