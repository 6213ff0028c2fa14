// A gateway beside a proxy: the file's section alone says what it does, for flags and environment
// are the proxy's.
import { type Address, formatAddress } from "../net/address.ts";
import { ConfigFileError, type FileConfig, type FileFault } from "./file.ts";
import { gatewayKey } from "./file_tunnel_keys.ts";
import { type GatewayConfig, readGatewayConfig } from "./gateway.ts";
import type { ProxyConfig } from "./proxy.ts";

/** Where the proxy listens. */
export type ProxyPlaces = Pick<ProxyConfig, "listen" | "plainListen" | "tcp">;

/**
 * The gateway of a file's section, in the process of the file's proxy; `null` where there is no
 * such section. SOCKS5 is only where the file says so.
 *
 * @throws {ConfigFileError} where it can't stand there
 */
export function gatewayBeside(file: FileConfig, proxy: ProxyPlaces): GatewayConfig | null {
  const { gateway: texts } = file.tunnel;
  if (texts === null) return null;
  const config = readGatewayConfig({ socks: "off", ...texts, config: file.file });
  const faults = [
    ...usersFaults(file, config),
    ...placesFaults(file, config, proxy),
    ...(texts.metrics === undefined ? [] : [
      faultAt(file, "metrics", {
        problem: "has no place beside a proxy",
        allowed: "metrics at the top, which serves both",
      }),
    ]),
  ];
  if (faults.length > 0) throw new ConfigFileError(inOrder(faults));
  return config;
}

type Told = Pick<FileFault, "problem" | "allowed">;

/** At the key that says what a flag does. */
function faultAt(file: FileConfig, flag: string, told: Told): FileFault {
  return file.faultAt(gatewayKey(flag).split("."), told);
}

function usersFaults(file: FileConfig, config: GatewayConfig): FileFault[] {
  const { user, usersFile, authUrl, clientUser, anonymous } = config;
  const one = { allowed: "one of the two" };
  const beside = { user, users: usersFile, "client-user": clientUser };
  return [
    ...(user === null && usersFile === null && authUrl === null
      ? [file.faultAt(["gateway"], {
        problem: "has no user: no agent comes in without one",
        allowed: "auth_username with auth_password, users_file, or auth_url",
      })]
      : []),
    ...(authUrl === null ? [] : Object.entries(beside))
      .filter(([, given]) => given !== null)
      .map(([flag]) => faultAt(file, flag, { problem: "can't stand beside auth_url", ...one })),
    ...(anonymous && clientUser !== null
      ? [faultAt(file, "anonymous", {
        problem: "can't stand beside proxy.socks5.auth_username",
        ...one,
      })]
      : []),
  ];
}

/** What listens at a place of the proxy's. Who is there else is told at the start. */
function placesFaults(
  file: FileConfig,
  { listen, socks, http, mixed }: GatewayConfig,
  proxy: ProxyPlaces,
): FileFault[] {
  const fault = (flag: string, place: Address) =>
    faultAt(file, flag, {
      problem: `is ${formatAddress(place)}, where the proxy listens`,
      allowed: "another port",
    });
  // By UDP alone nothing but agents could meet it.
  const byTcp = [...(proxy.tcp ? [proxy.listen] : []), proxy.plainListen];
  const fronts = Object.entries({ socks, http, mixed });
  return [
    ...([proxy.listen, proxy.plainListen].some((at) => meet(listen, at))
      ? [fault("listen", listen)]
      : []),
    ...fronts.filter(([, front]) => byTcp.some((at) => meet(front, at)))
      .map(([flag, front]) => fault(flag, front!)),
  ];
}

function meet(one: Address | null, other: Address | null): boolean {
  if (one === null || other === null || one.port !== other.port || one.port === 0) return false;
  const isAny = ({ hostname }: Address) => hostname === "0.0.0.0" || hostname === "::";
  return one.hostname === other.hostname || isAny(one) || isAny(other);
}

function inOrder(faults: readonly FileFault[]): FileFault[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
}
