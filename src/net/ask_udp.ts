import { isIPv6 } from "node:net";
import { NetError, toNetError } from "./error.ts";

/** What is asked by datagram, and of whom. */
export interface UdpQuestion<T> {
  /** An IP address, IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  readonly datagram: Uint8Array;
  /** What a datagram from there says; `null` for what is no answer. What it throws is thrown. */
  readonly read: (datagram: Uint8Array) => T | null;
  /** Gives it up; until then the question is sent again. */
  readonly signal: AbortSignal;
}

/** Datagrams get lost: each is sent again after so long, then after twice that, and so on. */
const AGAIN_MS = 400;
const SENDS = 4;

/** Asks by one datagram, and waits for the answer. Throws `NetError`. */
export async function askUdp<T>(question: UdpQuestion<T>): Promise<T> {
  const { address, port, datagram, signal } = question;
  const hostname = isIPv6(address) ? "::" : "0.0.0.0";
  let socket: Deno.DatagramConn;
  try {
    socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  } catch (error) {
    throw toNetError(error);
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => socket.close();
  signal.addEventListener("abort", close, { once: true });
  const failed = Promise.withResolvers<never>();
  const send = (left: number, nextMs: number) => {
    socket.send(datagram, { transport: "udp", hostname: address, port }).catch(failed.reject);
    if (left > 1) timer = setTimeout(() => send(left - 1, 2 * nextMs), nextMs);
  };
  try {
    if (signal.aborted) throw new NetError("aborted", "given up");
    send(SENDS, AGAIN_MS);
    return await Promise.race([failed.promise, receive(socket, question)]);
  } catch (error) {
    if (signal.aborted) throw new NetError("timeout", "no answer by UDP", error);
    throw error instanceof Error && "scope" in error ? error : toNetError(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
    if (!signal.aborted) close();
  }
}

/** The first answer that comes from whom was asked. */
async function receive<T>(socket: Deno.DatagramConn, question: UdpQuestion<T>): Promise<T> {
  for (;;) {
    const [bytes, from] = await socket.receive();
    if (from.transport !== "udp" || from.port !== question.port) continue;
    if (!isSame(from.hostname, question.address)) continue;
    const answer = question.read(bytes);
    if (answer !== null) return answer;
  }
}

/** An IPv6 address has many forms; a URL's is the shortest, as is the system's. */
function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  return isIPv6(one) && isIPv6(other) &&
    URL.parse(`http://[${one}]`)?.hostname === URL.parse(`http://[${other}]`)?.hostname;
}
