import { connectWebSocket, UpgradeRefused } from "../client/connect.ts";
import { Connections } from "../client/connections.ts";
import { H2Client } from "../client/h2_client.ts";
import { H3Client } from "../client/h3_client.ts";
import type { Socket } from "../endpoint/socket.ts";
import { NetError } from "../net/error.ts";
import { reasonPhrase } from "../protocol/http1/status.ts";
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, FrameType } from "../protocol/http2/frame.ts";
import { FrameParser } from "../protocol/http2/frame_parser.ts";
import { applySettings, defaultSettings, settingName } from "../protocol/http2/settings.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { dialWith } from "./dial_with.ts";
import type { Context, DoctorProbe, HandshakeAnswer, Version } from "./doctor_context.ts";
import { fail, ms, ok, type Outcome, skip, warn } from "./doctor_finding.ts";
import { hold } from "./doctor_held.ts";
import { trustOf } from "./doctor_quic.ts";

const MAX_FRAME_BYTES = 16 * 1024;
const QUOTED_CHARACTERS = 80;

const h2Settings: DoctorProbe = {
  id: "h2_settings",
  title: "HTTP/2 settings",
  needs: ["tls"],
  behind: ["alpn"],
  async run({ target, known, clientCertificate }, signal) {
    if (!known.alpn.h2) return skip("the server does not take h2 by ALPN");
    // No field of the user's is sent here, so that the certificate does not matter.
    const tls = { serverName: target.hostname, alpnProtocols: ["h2"], insecure: true };
    const stream = await dialWith({ clientCertificate })({ ...target, tls }, signal);
    signal.addEventListener("abort", () => stream.abort(), { once: true });
    try {
      const ours = new Uint8Array(FRAME_HEADER_BYTES);
      ours[3] = FrameType.SETTINGS;
      await stream.write(concat([CLIENT_PREFACE, ours]));
      return settingsOutcome(await firstSettings(stream));
    } finally {
      stream.abort();
    }
  },
};

async function firstSettings(stream: { read(): Promise<Uint8Array | null> }): Promise<Uint8Array> {
  const parser = new FrameParser({
    role: "client",
    maxFrameBytes: MAX_FRAME_BYTES,
    maxBlockBytes: MAX_FRAME_BYTES,
    maxContinuations: 1,
  });
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) throw new NetError("lost", "no SETTINGS came before");
    parser.push(chunk);
    for (let frame = parser.next(); frame !== null; frame = parser.next()) {
      if (frame.type === "settings") return frame.payload;
    }
  }
}

function settingsOutcome(payload: Uint8Array): Outcome {
  const settings = defaultSettings();
  const details: string[] = [];
  const changed = (id: number, value: number) => {
    details.push(`${settingName(id)} = ${value}`);
  };
  applySettings(settings, payload, { role: "client", changed });
  if (settings.enableConnectProtocol) return ok("extended CONNECT, for WebSockets", { details });
  return warn(
    "no extended CONNECT",
    "Have the server announce SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441), if it can take " +
      "WebSockets over HTTP/2; browsers open a connection of HTTP/1.1 for each.",
    { details, stops: "the server announces no WebSockets over HTTP/2" },
  );
}

/** The handshake by one version; the socket stays open for those behind. */
function handshake(
  version: Version,
  { id, needs, behind }: { id: string; needs: string[]; behind: string[] },
): DoctorProbe {
  return {
    ...{ id, title: `WebSocket, HTTP/${version}`, needs, behind },
    async run(context, signal) {
      if (version === "1.1" && !context.known.alpn.http11) {
        return skip("the server does not take http/1.1 by ALPN");
      }
      const beganMs = performance.now();
      try {
        const { status, socket } = await openSocket(context, version, signal);
        context.known.answers.set(version, { status, fields: socket.fields });
        return ok(`${statusText(status)} in ${ms(performance.now() - beganMs)}`, {
          details: fieldLines(socket.fields),
        });
      } catch (error) {
        if (!(error instanceof UpgradeRefused)) throw error;
        context.known.answers.set(version, error);
        return refused(error, version);
      }
    },
  };
}

/** Opens one, and keeps it among the sockets that are known. */
async function openSocket(context: Context, version: Version, signal: AbortSignal) {
  const { known } = context;
  const { socket, status, connection } = await open(context, version, { signal });
  const held = hold(socket, connection);
  if (signal.aborted) {
    await held.release();
    throw new NetError("timeout", "no answer in time");
  }
  known.sockets.set(version, held);
  return { status, socket };
}

interface OpenedSocket {
  readonly socket: Socket;
  readonly status: number;
  readonly connection: H2Client | H3Client | null;
}

/** How a WebSocket is opened for a probe. */
export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Called for each Ping. */
  readonly onPing?: () => void;
}

/** Opens a WebSocket by one version, on a connection of its own. */
export async function open(
  context: Context,
  version: Version,
  { signal, onPing }: OpenOptions,
): Promise<OpenedSocket> {
  const { target, config, caCerts, fields: headers } = context;
  const connection = version === "1.1" ? null : await connect(context, version, signal);
  let status = 101;
  if (connection !== null) {
    const ask = connection.connect.bind(connection);
    connection.connect = async (head, options) => {
      const answer = await ask(head, options);
      status = answer.head.status;
      return answer;
    };
  }
  try {
    const socket = await connectWebSocket(target.text, {
      ...{
        httpVersion: version,
        connection: connection ?? undefined,
        signal,
        headers,
        caCerts,
        onPing,
      },
      // As browsers do.
      deflate: true,
      protocols: config.subprotocols,
      insecure: config.noCheck,
      host: config.host ?? undefined,
      dial: dialWith({ clientCertificate: context.clientCertificate }),
      connections: new Connections(),
      timeoutMs: config.timeoutMs,
    });
    return { socket, status, connection };
  } catch (error) {
    connection?.close();
    await connection?.closed;
    throw error;
  }
}

async function connect(
  context: Context,
  version: "2" | "3",
  signal: AbortSignal,
): Promise<H2Client | H3Client> {
  const { target: { hostname, port }, config, caCerts } = context;
  if (version === "3") {
    return await H3Client.connect({ hostname, port, ...trustOf(context), signal });
  }
  const dial = dialWith({ clientCertificate: context.clientCertificate });
  return await H2Client.connect({
    hostname,
    port,
    caCerts,
    insecure: config.noCheck,
    dial,
    signal,
  });
}

function refused({ status, fields, body }: UpgradeRefused, version: Version): Outcome {
  const quoted = quote(body);
  const value = statusText(status) + (quoted === "" ? "" : `, "${quoted}"`);
  return fail(value, hint(status, version), { details: fieldLines(fields) });
}

export function statusText(status: number): string {
  return `${status} ${reasonPhrase(status)}`.trimEnd();
}

function fieldLines(fields: HandshakeAnswer["fields"]): string[] {
  return fields.map(([name, value]) => `${name}: ${value}`);
}

/** How the body begins, where it is text. */
function quote(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 4 * QUOTED_CHARACTERS)).trim();
  if (/^<|\ufffd/.test(text)) return "";
  const [line] = text.split(/[\r\n]/, 1);
  const characters = [...line];
  if (characters.length <= QUOTED_CHARACTERS) return line;
  return `${characters.slice(0, QUOTED_CHARACTERS).join("")}…`;
}

const HINTS: Readonly<Record<number, string>> = {
  401: "Give credentials, as by -H 'authorization: ...' or -H 'cookie: ...'.",
  403: "Try another origin (-o) or credentials (-H): the server wants others.",
  404: "Check the path.",
  429: "Try again later: the server has had too many of these.",
  502: "Start what is behind the server's proxy, or check where that leads.",
  503: "Wait until the server has room, or start what is behind its proxy.",
  504: "See why what is behind the server's proxy does not answer.",
};

/** What a browser needs to be answered is 101, or 2xx by extended CONNECT. */
function hint(status: number, version: Version): string {
  const found = HINTS[status];
  if (found !== undefined) return found;
  if (status >= 300 && status < 400) {
    return "Use the URL it leads to: a WebSocket is not redirected.";
  }
  if (version === "1.1" && (status === 400 || status === 426 || status < 300)) {
    return "Have what stands before the server pass on Upgrade and Connection, and check the path.";
  }
  if (version !== "1.1" && (status === 400 || status === 405 || status === 501)) {
    return "Have what stands before the server turn the extended CONNECT into an upgrade, or not " +
      "announce it: browsers that see the announcement do not try HTTP/1.1.";
  }
  return "Look at the server's log for why it refuses.";
}

/** HTTP/2's SETTINGS, and the WebSocket handshake by each version. */
export function handshakeProbes(secure: boolean): readonly DoctorProbe[] {
  const behind = ["alpn"];
  return [
    h2Settings,
    handshake("1.1", { id: "ws_h1", needs: [secure ? "certificate" : "tcp"], behind }),
    handshake("2", { id: "ws_h2", needs: ["h2_settings", "certificate"], behind }),
    handshake("3", { id: "ws_h3", needs: ["h3_settings"], behind: ["tls"] }),
  ];
}
