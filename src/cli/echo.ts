import { UsageError } from "../config/error.ts";
import type { CertFiles } from "../config/file.ts";
import { type ConfigOf, plainFlag } from "../config/flags.ts";
import {
  address,
  choice,
  count,
  duration,
  onOff,
  optionalAddress,
  optionalFile,
  size,
} from "../config/kinds.ts";
import type { Address } from "../net/address.ts";
import { messageOf } from "../net/error.ts";
import { type Command, CommandError, defineCommand, ExitCode, IN_USE } from "./command.ts";
import { KNOB_MODES, KNOB_ROWS } from "./echo_knobs.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";
import { NOTHING_TO_REREAD, onHangup } from "./signals.ts";

const echoFlags = {
  listen: plainFlag({
    name: "listen",
    kind: address,
    default: "127.0.0.1:8080",
    meaning: "TCP address of ws://, HTTP/1.1 and HTTP/2 in clear text; with --tls the address of " +
      "wss://, HTTP/3 by UDP and the others by TCP, and its default 127.0.0.1:8443",
  }),
  tls: plainFlag({
    name: "tls",
    kind: onOff,
    default: "false",
    meaning: "all versions of HTTP at --listen; --cert and --plain-listen say so too",
  }),
  certFile: plainFlag({
    name: "cert",
    kind: optionalFile,
    default: "",
    meaning: "certificate chain in PEM, read again when it changes; without it one is made",
  }),
  keyFile: plainFlag({
    name: "key",
    kind: optionalFile,
    default: "",
    meaning: "its private key in PEM",
  }),
  plainListen: plainFlag({
    name: "plain-listen",
    kind: optionalAddress,
    default: "off",
    meaning: "TCP address of ws:// beside the wss:// of --listen",
  }),
  unix: plainFlag({
    name: "unix",
    kind: optionalFile,
    default: "",
    meaning: "a unix socket to listen on, instead of --listen; HTTP/1.1 without knobs",
  }),
  maxMessageBytes: plainFlag({
    name: "max-message",
    kind: size(),
    default: "64MiB",
    meaning: "payload of one message; above it Close 1009",
  }),
  maxConns: plainFlag({
    name: "max-conns",
    kind: count(),
    default: "10000",
    meaning: "WebSockets at once, and connections; above it 503",
  }),
  readTimeoutMs: plainFlag({
    name: "read-timeout",
    kind: duration(),
    default: "1h",
    meaning: "Close 1001 to a client from which no byte came, and to which none went, for so long",
  }),
  knobs: plainFlag({
    name: "knobs",
    kind: choice(KNOB_MODES),
    default: "strict",
    meaning: "whether queries turn knobs; strict: one that is not known is 400; known: it is " +
      "somebody else's, the default where ws:// is all, as behind a proxy",
  }),
  deflate: plainFlag({
    name: "deflate",
    kind: onOff,
    default: "false",
    meaning: "takes permessage-deflate (RFC 7692) where a client offers it",
  }),
  drainMs: plainFlag({
    name: "drain",
    kind: duration({ min: 0 }),
    default: "5s",
    meaning: "how long clients have to answer Close 1001 at the end",
  }),
};

/** What the flags say. */
export type EchoConfig = ConfigOf<typeof echoFlags>;

const DEFAULT_TLS: Address = { hostname: "127.0.0.1", port: 8443 };

/** `h3ws echo`: a backend to try the proxy with, and a server to try clients with. */
export const echoCommand: Command = defineCommand({
  ...LISTED.echo,
  flags: echoFlags,
  notes: [{
    title: "Knobs in the query of a WebSocket, as in " +
      "ws://127.0.0.1:8080/?delay=250ms&close=4001&after=3",
    rows: KNOB_ROWS.map(({ example, meaning }) => [example, meaning]),
  }],
  async run(config, io, given) {
    const files = certFilesOf(config);
    const isSecure = config.tls || files !== null || config.plainListen !== null;
    if (config.unix !== null) {
      if (!isSecure) return await serveUnix(config.unix, config.maxMessageBytes, io);
      const problem = "can't stand beside --tls, --cert and --plain-listen";
      throw new UsageError({
        ...{ key: "--unix", value: config.unix, problem },
        allowed: "one or the others",
      });
    }
    const { serveEcho } = await import("./echo_serve.ts");
    if (!isSecure) {
      const knobs = given("knobs") ? config.knobs : "known";
      const places = { listen: null, plainListen: config.listen };
      return await serveEcho({ ...config, knobs }, places, io);
    }
    const listen = given("listen") ? config.listen : DEFAULT_TLS;
    return await serveEcho(config, { listen, plainListen: config.plainListen, files }, io);
  },
});

function certFilesOf({ certFile, keyFile }: EchoConfig): CertFiles | null {
  if (certFile !== null && keyFile !== null) return { certFile, keyFile };
  if (certFile === null && keyFile === null) return null;
  const [key, other] = certFile === null ? ["--key", "--cert"] : ["--cert", "--key"];
  const value = certFile ?? keyFile;
  throw new UsageError({ key, value, problem: `has no ${other}`, allowed: "both, or neither" });
}

async function serveUnix(unixPath: string, maxMessageBytes: number, io: Io): Promise<number> {
  const { startEcho } = await import("./echo_server.ts");
  const server = await startEcho({ hostname: "", port: 0, unixPath, maxMessageBytes })
    .catch((error) => {
      throw new CommandError(`Cannot listen on ${unixPath}: ${reasonOf(error)}`);
    });
  // Who reads that line may ask for the end at once.
  const stopped = io.untilStopped();
  const release = onHangup({ asked: () => io.err(NOTHING_TO_REREAD) });
  io.out(`Echo server on ws+unix:${unixPath}\n`);
  await stopped;
  await server.close();
  release();
  return ExitCode.OK;
}

// Of "listen EADDRINUSE: address already in use /tmp/echo.sock" the path is told already.
function reasonOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === "EADDRINUSE") return `${IN_USE}; --unix names another`;
  if (code === "ENOENT") return "no such directory";
  if (code === "EACCES") return "permission denied";
  return messageOf(error);
}
