import type { CertFiles } from "../config/file.ts";
import { ListenError } from "../ingress/listen.ts";
import { type Address, formatAddress } from "../net/address.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { serve, type Server } from "../server/server.ts";
import { CommandError, ExitCode, IN_USE } from "./command.ts";
import type { EchoConfig } from "./echo.ts";
import { echoPage } from "./echo_page.ts";
import { echoByKnobs } from "./echo_talk.ts";
import { tellTrust } from "./echo_trust.ts";
import { FileWatch } from "./file_watch.ts";
import { readCertPair } from "./files.ts";
import type { Io } from "./io.ts";
import { NOTHING_TO_REREAD, onHangup } from "./signals.ts";

/** Connections above those of sockets. */
const SPARE_CONNECTIONS = 64;

/** Where it is served, and with which certificate. */
export interface EchoPlaces {
  /** With TLS and QUIC. */
  readonly listen: Address | null;
  readonly plainListen: Address | null;
  /** A certificate is made where there is none. */
  readonly files?: CertFiles | null;
}

const DAYS = 14;

/**
 * Echoes over every version of HTTP until the process is asked to end; returns the exit code.
 * Throws `CommandError` with nothing left half started.
 */
export async function serveEcho(config: EchoConfig, places: EchoPlaces, io: Io): Promise<number> {
  const { listen, files = null } = places;
  const given = files === null ? null : await readCertPair(files);
  const made = listen === null || given !== null ? null : await makePair(listen);
  const server = await open(config, { ...places, pair: given ?? made, io });
  // Who reads the first line may ask for the end at once.
  const stopped = io.untilStopped();
  const release = files === null
    ? onHangup({ asked: () => io.err(NOTHING_TO_REREAD) })
    : watchPair(files, { server, pair: given!, io });
  let folder: string | null = null;
  try {
    let trust = "";
    if (made !== null && listen !== null) {
      folder = await Deno.makeTempDir({ prefix: "h3ws-echo-" });
      await Deno.writeTextFile(`${folder}/ca.pem`, made.caPem);
      const reached = { ...listen, port: server.port! };
      trust = tellTrust(made, { listen: reached, folder, env: io.env });
    }
    io.out(listenText(places, server) + trust);
    await stopped;
    await server.shutdown(config.drainMs);
  } finally {
    release();
    await server.stop();
    // A browser that still runs may hold its profile there.
    if (folder !== null) await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
  return ExitCode.OK;
}

async function makePair({ hostname }: Address) {
  const { makeCertificates } = await import("./certificates.ts");
  const any = hostname === "0.0.0.0" || hostname === "::";
  const hosts = [...new Set(["localhost", "127.0.0.1", "::1", ...(any ? [] : [hostname])])];
  return { ...await makeCertificates({ hosts, days: DAYS }), hosts };
}

async function open(
  config: EchoConfig,
  { listen, plainListen, pair, io }: EchoPlaces & { pair: CertificatePair | null; io: Io },
): Promise<Server> {
  const { maxMessageBytes, maxConns, readTimeoutMs, deflate, knobs } = config;
  try {
    return await serve({
      ...{ listen, plainListen, fetch: echoPage, permessageDeflate: deflate, readTimeoutMs },
      ...(pair !== null && { certPem: pair.certPem, keyPem: pair.keyPem }),
      ...{ maxMessageBytes, maxFrameBytes: maxMessageBytes },
      // Room for who is told 503: over HTTP/1.1 each socket is a connection.
      ...{ maxSockets: maxConns, maxConnections: maxConns + SPARE_CONNECTIONS },
      log: {
        info() {},
        warning() {},
        error: (event, fields = {}) => io.err(`h3ws: ${event}: ${fields.error}\n`),
      },
    }, (request) => echoByKnobs(request, knobs));
  } catch (error) {
    if (error instanceof ListenError) {
      throw new CommandError(faultOf(error, { listen, plainListen }));
    }
    throw error;
  }
}

function faultOf(error: ListenError, { listen, plainListen }: EchoPlaces): string {
  const { kind, message, address, transport } = error;
  if (kind === "tls") return `Cannot use the certificate with its key: ${message}`;
  const flag = listen !== null && address === plainListen ? "--plain-listen" : "--listen";
  const where = `${listen === null ? "" : `${transport} `}${formatAddress(address)}`;
  const reason = kind === "in_use" ? `${IN_USE}; ${flag} names another` : message;
  return `Cannot listen on ${where}: ${
    isForeign(error) ? "not an address of this machine" : reason
  }`;
}

function isForeign(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.AddrNotAvailable || isForeign(error.cause);
}

function listenText({ listen, plainListen }: EchoPlaces, { port, plainPort }: Server): string {
  const urls = [
    ...(listen === null ? [] : [
      `wss://${formatAddress({ ...listen, port: port! })}/ (HTTP/3, HTTP/2, HTTP/1.1)`,
    ]),
    ...(plainListen === null
      ? []
      : [`ws://${formatAddress({ ...plainListen, port: plainPort! })}/`]),
  ];
  return `Echo server on ${urls.join(" and ")}\n`;
}

/** Reads a certificate again when its files change, and on SIGHUP; gives what ends that. */
function watchPair(
  { certFile, keyFile }: CertFiles,
  { server, pair, io }: { server: Server; pair: CertificatePair; io: Io },
): () => void {
  const watch = new FileWatch({
    files: [certFile, keyFile],
    subject: `${certFile} with ${keyFile}`,
    old: "the old pair",
    onChange: ([certPem, keyPem]) => server.reload(certPem, keyPem),
    onReloaded: () => io.err(`h3ws: ${certFile} and ${keyFile} were read again\n`),
    onError: (message) => io.err(`h3ws: ${message}\n`),
  }, [pair.certPem, pair.keyPem]);
  const release = onHangup({ asked: () => void watch.check(true) });
  return () => {
    release();
    void watch.stop();
  };
}
