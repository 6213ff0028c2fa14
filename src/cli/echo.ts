import { formatAddress } from "../net/address.ts";
import { plainFlag } from "../config/flags.ts";
import { address, optionalFile, size } from "../config/kinds.ts";
import { messageOf } from "../net/error.ts";
import { type Command, CommandError, defineCommand, ExitCode, IN_USE } from "./command.ts";
import { NOTHING_TO_REREAD, onHangup } from "./signals.ts";

const echoFlags = {
  listen: plainFlag({
    name: "listen",
    kind: address,
    default: "127.0.0.1:8080",
    meaning: "TCP address of ws://",
  }),
  unix: plainFlag({
    name: "unix",
    kind: optionalFile,
    default: "",
    meaning: "a unix socket to listen on, instead of --listen",
  }),
  maxMessageBytes: plainFlag({
    name: "max-message",
    kind: size(),
    default: "64MiB",
    meaning: "payload of one message; above it Close 1009",
  }),
};

/** `h3ws echo`: a backend to try the proxy with. */
export const echoCommand: Command = defineCommand({
  name: "echo",
  summary: "a ws:// server that sends back what it gets, to try the proxy with",
  flags: echoFlags,
  examples: ["h3ws echo --listen 127.0.0.1:8080", "h3ws echo --unix /tmp/echo.sock"],
  async run({ listen, unix, maxMessageBytes }, io) {
    const { startEcho } = await import("./echo_server.ts");
    const unixPath = unix ?? undefined;
    const server = await startEcho({ ...listen, unixPath, maxMessageBytes }).catch((error) => {
      const where = unix ?? formatAddress(listen);
      throw new CommandError(`Cannot listen on ${where}: ${reasonOf(error, unix !== null)}`);
    });
    const url = unix === null
      ? `ws://${formatAddress({ ...listen, port: server.port })}/`
      : `ws+unix:${unix}`;
    // Who reads that line may ask for the end at once.
    const stopped = io.untilStopped();
    const release = onHangup({ asked: () => io.err(NOTHING_TO_REREAD) });
    io.out(`Echo server on ${url}\n`);
    await stopped;
    await server.close();
    release();
    return ExitCode.OK;
  },
});

// Of "listen EADDRINUSE: address already in use 127.0.0.1:8080" the address is told already.
function reasonOf(error: unknown, isUnix: boolean): string {
  const { code } = error as { code?: unknown };
  if (code === "EADDRINUSE") return `${IN_USE}; --${isUnix ? "unix" : "listen"} names another`;
  if (code === "ENOENT") return "no such directory";
  if (code === "EACCES") return "permission denied";
  // Deno 2.9.6 says EINVAL where Node says EADDRNOTAVAIL.
  if (code === "EADDRNOTAVAIL" || (code === "EINVAL" && !isUnix)) {
    return "not an address of this machine";
  }
  return messageOf(error);
}
