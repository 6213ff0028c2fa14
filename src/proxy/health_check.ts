import { requestUpgrade } from "../client/h1.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { messageOf, NetError } from "../net/error.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { encodeClose } from "../protocol/websocket/encoder.ts";
import { encodeRequestHead } from "../protocol/http1/encode.ts";
import { ResponseHeadParser } from "../protocol/http1/head.ts";
import { authorityOf, type BackendTarget, dialBackend, targetOf } from "./backend.ts";
import type { ActiveHealth } from "./route.ts";

/**
 * Asks a backend once, on a connection of its own; an abort of `signal` ends it wherever it is.
 * `null` when it is well, else what is wrong. Never rejects.
 */
export async function checkBackend(
  target: BackendTarget,
  health: Pick<ActiveHealth, "kind" | "path">,
  signal: AbortSignal,
): Promise<string | null> {
  let stream: ByteStream | null = null;
  const onAbort = () => stream?.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    stream = await dialBackend(target, null, signal);
    if (signal.aborted) throw signal.reason;
    const ask = health.kind === "websocket" ? askWebSocket : askGet;
    return await ask(stream, target, health.path);
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error;
    return messageOf(reason);
  } finally {
    signal.removeEventListener("abort", onAbort);
    stream?.abort();
  }
}

type Ask = (stream: ByteStream, target: BackendTarget, path: string) => Promise<string | null>;

const askWebSocket: Ask = async (stream, target, path) => {
  const answer = await requestUpgrade(stream, {
    target: targetOf(null, path),
    host: hostOf(target),
    fields: [],
    maxHeaderBytes: target.maxHeaderBytes,
  });
  if (answer.kind === "refused") return `it answered ${answer.status}`;
  await sayGoodbye(stream);
  return null;
};

/** The answer was right; how the connection ends does not matter. */
async function sayGoodbye(stream: ByteStream): Promise<void> {
  try {
    const maskKey = crypto.getRandomValues(new Uint8Array(4));
    await stream.write(encodeClose(CloseCode.NORMAL, "", maskKey));
    // RFC 6455 §7.1.1: the server ends TCP. What else it sends is not for us: a little is awaited.
    for (let reads = 0; reads < 4 && await stream.read() !== null; reads++);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
  }
}

const askGet: Ask = async (stream, target, path) => {
  await stream.write(encodeRequestHead({
    method: "GET",
    target: targetOf(null, path),
    fields: [["host", hostOf(target)], ["connection", "close"], ["user-agent", "h3ws-health"]],
  }));
  const parser = new ResponseHeadParser({ limit: target.maxHeaderBytes });
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) return "it closed the connection before an answer";
    parser.push(chunk);
    for (let head = parser.next(); head !== null; head = parser.next()) {
      // RFC 9110 §15.2: any number of 1xx come before the final answer.
      if (head.status >= 200 || head.status === 101) {
        return head.status < 200 || head.status > 399 ? `it answered ${head.status}` : null;
      }
    }
  }
};

/** That of its URL: no client stands behind a check. */
function hostOf(target: BackendTarget): string {
  return target.host ?? authorityOf(target);
}
