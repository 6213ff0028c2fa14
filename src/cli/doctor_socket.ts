import { formatDuration } from "../config/units.ts";
import type { Socket, SocketEnd } from "../endpoint/socket.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { getField } from "../protocol/wire/field.ts";
import type { Context, DoctorProbe, Version } from "./doctor_context.ts";
import { count, fail, ms, ok, type Outcome, skip, warn } from "./doctor_finding.ts";
import { type Ended, hold } from "./doctor_held.ts";
import { open } from "./doctor_handshake.ts";

const PINGS = 3;
const VERSIONS: readonly Version[] = ["1.1", "2", "3"];
const HANDSHAKES = VERSIONS.map((version) => `ws_h${version[0]}`);
const NONE_OPEN = "no WebSocket opened";

/** What each version's answer says in a field, those that say the same together. */
function chosen({ known }: Context, name: string): Map<string, Version[]> {
  const found = new Map<string, Version[]>();
  for (const [version, { socket }] of known.sockets) {
    const value = getField(socket.fields, name) ?? "";
    found.set(value, [...found.get(value) ?? [], version]);
  }
  return found;
}

function spoken(found: ReadonlyMap<string, readonly Version[]>): string {
  const parts = [...found].map(([value, versions]) =>
    found.size === 1
      ? value || "none"
      : `${value || "none"} by HTTP/${versions.toSorted().join(", ")}`
  );
  return parts.join("; ");
}

const subprotocol: DoctorProbe = {
  id: "subprotocol",
  title: "Subprotocol",
  behind: HANDSHAKES,
  run(context) {
    const offered = context.config.subprotocols;
    if (context.known.sockets.size === 0) return skip(NONE_OPEN);
    if (offered.length === 0) return skip("none was offered; -s offers one");
    const found = chosen(context, "sec-websocket-protocol");
    if (found.size > 1) {
      return warn(spoken(found), "Have the server choose the same by every HTTP version.");
    }
    if (!found.has("")) return ok(spoken(found));
    return warn(
      `none of ${offered.join(", ")} was chosen`,
      "Offer what the server knows, or let it choose: some clients end a socket without one.",
    );
  },
};

const extensions: DoctorProbe = {
  id: "extensions",
  title: "Extensions",
  behind: HANDSHAKES,
  run(context) {
    if (context.known.sockets.size === 0) return skip(NONE_OPEN);
    const found = chosen(context, "sec-websocket-extensions");
    if (found.has("") && found.size === 1) return ok("none; permessage-deflate was offered");
    if (found.size === 1) return ok(spoken(found));
    return warn(spoken(found), "Have the server choose the same by every HTTP version.");
  },
};

/** Pings to and fro, and messages where they are wanted. */
function roundTrip(version: Version): DoctorProbe {
  return {
    id: `rtt_h${version[0]}`,
    title: `Round trip, HTTP/${version}`,
    needs: [`ws_h${version[0]}`],
    late: ({ config }, timeoutMs) =>
      warn(
        `no ${config.echo ? "Pong or echo" : "Pong"} in ${formatDuration(timeoutMs)}`,
        "Have the server answer each Ping (RFC 6455 §5.5.2)" +
          (config.echo ? ", or leave --echo out if it echoes nothing." : "."),
      ),
    async run({ known, config }) {
      const held = known.sockets.get(version)!;
      const { socket } = held;
      const ended = held.over.then(() => held.ended()).then(endedAtOnce);
      const measure = async (): Promise<Outcome> => {
        const pingMs = await least(() => socket.ping());
        const text = `Ping ${ms(pingMs)}`;
        if (!config.echo) return ok(text);
        return ok(`${text}, echo ${ms(await least(() => echo(held)))}`);
      };
      const measured = measure();
      measured.catch(() => {});
      return await Promise.race([ended, measured.catch(() => ended)]);
    },
  };
}

function endedAtOnce(end: Ended): Outcome {
  if (isBroken(end)) {
    const advice = "Have the server or the proxy before it mended: no browser takes that.";
    return fail(endText(end), advice);
  }
  const leftOpen = end.isLeftOpen ? ", without ending its stream" : "";
  return fail(
    `the server ended it at once: ${endText(end)}${leftOpen}`,
    "Look at the server's log for what it did not like; it may want credentials (-H).",
  );
}

async function least(measure: () => Promise<number>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < PINGS; i++) best = Math.min(best, await measure());
  return best;
}

async function echo(
  held: { socket: Socket; next: ReturnType<typeof hold>["next"] },
): Promise<number> {
  const text = `h3ws doctor ${crypto.randomUUID()}`;
  const came = held.next((message) => message === text);
  const beganMs = performance.now();
  await held.socket.send(text);
  await came;
  return performance.now() - beganMs;
}

/** RFC 6455 §7.1.7: whether it was ended for what the server sent. */
function isBroken({ code, by }: SocketEnd): boolean {
  return by === "us" && code !== CloseCode.NORMAL && code !== CloseCode.ABNORMAL_CLOSURE;
}

function endText(end: SocketEnd): string {
  const { code, reason, by } = end;
  if (isBroken(end)) return `the server broke a rule of WebSocket: ${reason} (${code})`;
  const who = by === "lost" ? "lost" : by === "peer" ? "closed by the server" : "closed by us";
  return `${who} with ${code}${reason === "" ? "" : ` "${reason}"`}`;
}

function close(version: Version): DoctorProbe {
  return {
    id: `close_h${version[0]}`,
    title: `Close, HTTP/${version}`,
    needs: [`ws_h${version[0]}`],
    behind: [`rtt_h${version[0]}`],
    late: (_, timeoutMs) => unanswered(`not answered in ${formatDuration(timeoutMs)}`),
    async run({ known }) {
      const held = known.sockets.get(version)!;
      const { socket } = held;
      if (held.isOver) return skip(`it had ended before: ${endText(await held.ended())}`);
      const beganMs = performance.now();
      const end = await socket.close();
      const took = ms(performance.now() - beganMs);
      if (end.by !== "us" || isBroken(end)) return skip(`it had ended before: ${endText(end)}`);
      if (!end.wasClean) return unanswered(`not answered: ${end.reason || "lost"} (${took})`);
      return ok(`answered with ${end.code} in ${took}`);
    },
  };
}

function unanswered(value: string): Outcome {
  return warn(
    value,
    "Have the server answer a Close (RFC 6455 §5.5.1): without it pages wait, and are told 1006.",
  );
}

const idle: DoctorProbe = {
  id: "idle",
  title: "Idle",
  behind: HANDSHAKES,
  timeoutMs: ({ config }) => config.idleMs + config.timeoutMs,
  async run(context, signal) {
    const { config, known } = context;
    if (config.idleMs === 0) return skip("not asked for; --idle 90s watches a silent socket");
    const version = VERSIONS.find((version) => known.sockets.has(version));
    if (version === undefined) return skip(NONE_OPEN);
    const pingsMs: number[] = [];
    const onPing = () => void pingsMs.push(performance.now());
    const { socket, connection } = await open(context, version, { signal, onPing });
    const held = hold(socket, connection);
    const beganMs = performance.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), config.idleMs);
      signal.addEventListener("abort", () => resolve(null), { once: true });
    });
    const end = await Promise.race([held.over.then(() => held.ended()), over]);
    clearTimeout(timer);
    const { messages } = held;
    await held.release();
    return idleOutcome({ end, messages, pingsMs, lastedMs: performance.now() - beganMs });
  },
};

interface Lasted {
  readonly end: SocketEnd | null;
  readonly messages: number;
  /** When Pings came. */
  readonly pingsMs: readonly number[];
  readonly lastedMs: number;
}

function idleOutcome({ end, messages, pingsMs, lastedMs }: Lasted): Outcome {
  const details = [
    ...(messages === 0 ? [] : [`the server sent ${count(messages, "message")} meanwhile`]),
    ...(pingsMs.length === 0 ? [] : [pingsText(pingsMs)]),
  ];
  const seconds = (lastedMs / 1000).toFixed(1);
  if (end === null) return ok(`open after ${seconds} s without a message of ours`, { details });
  if (isBroken(end)) return { ...endedAtOnce({ ...end, isLeftOpen: false }), details };
  return warn(
    `${endText(end)} after ${seconds} s`,
    `Send something more often than every ${Math.max(1, Math.floor(lastedMs / 1000))} s, or give ` +
      "the server and its proxies a longer idle timeout.",
    { details },
  );
}

function pingsText(atMs: readonly number[]): string {
  const sent = `the server sent ${count(atMs.length, "Ping")} meanwhile`;
  if (atMs.length === 1) return sent;
  const betweenMs = (atMs.at(-1)! - atMs[0]) / (atMs.length - 1);
  return `${sent}, one in ${(betweenMs / 1000).toFixed(1)} s`;
}

/** What open sockets do. */
export const socketProbes: readonly DoctorProbe[] = [
  subprotocol,
  extensions,
  ...VERSIONS.map(roundTrip),
  ...VERSIONS.map(close),
  idle,
];
