import type { ByteStream } from "../net/byte_stream.ts";
import { dialRaw } from "../net/raw_tcp.ts";
import { isHostUnreachable, NetError, toNetError } from "../net/error.ts";
import { addressesOf, raceAddresses } from "../net/happy_eyeballs.ts";
import { UdpFlow } from "../net/udp_flow.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { ConnectTarget } from "./link.ts";
import { type Lookup, Lookups } from "./lookups.ts";
import type { Reach } from "./reach.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

export interface AgentDialOptions {
  reach: Reach;
  /** How long the name and the connection may take together. */
  connectTimeoutMs: number;
  /** Default: the system's. */
  lookup?: Lookup;
}

type Connect = Pick<AgentDialOptions, "reach"> & { readonly lookups: Lookups };

/** Connects to targets as the rules have it. What is refused begins with the kind of its error. */
export function agentDial(options: AgentDialOptions): ConnectTarget {
  const { reach, connectTimeoutMs, lookup = addressesOf } = options;
  const lookups = new Lookups(lookup);
  return async (asked, signal) => {
    const target = reach.locate(asked);
    // The one there is for each connection: Deno.connect takes no other kind of signal.
    const given = new AbortController();
    const giveUp = () => given.abort(signal.reason);
    const timer = setTimeout(() => {
      given.abort(new NetError("timeout", `not connected within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      if (signal.aborted) giveUp();
      return await connect({ reach, lookups }, target, given.signal);
    } catch (error) {
      if (error instanceof TunnelRefused) throw error;
      throw refusedFor(toNetError(given.signal.aborted ? given.signal.reason : error));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  };
}

/** The message begins with the kind of the error: see `failureKind`. */
export function refusedFor(error: NetError): TunnelRefused {
  const kind = isHostUnreachable(error) ? "host_unreachable" : error.kind;
  return new TunnelRefused(TunnelCode.CONNECTION_FAILED, `${kind}: ${error.message}`, error);
}

async function connect(
  { reach, lookups }: Connect,
  target: TunnelTarget,
  signal: AbortSignal,
): Promise<ByteStream> {
  const { protocol, host, port } = target;
  const addresses = reach.filter(target, await lookups.find(host, signal));
  if (protocol === "udp") return new UdpFlow({ address: addresses[0], port });
  if (addresses.length === 1) return await dialRaw({ hostname: addresses[0], port }, signal);
  return await raceAddresses({
    addresses,
    signal,
    attempt: (address) => {
      const gaveUp = new AbortController();
      const connected = dialRaw({ hostname: address, port }, gaveUp.signal);
      return { connected, abort: () => gaveUp.abort() };
    },
  });
}
