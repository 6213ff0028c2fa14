import type { ListenAddress } from "../ingress/listen.ts";
import { type Accepted, addressText, type Refusal } from "../net/accepted.ts";
import { listenRaw } from "../net/raw_tcp.ts";
import { UdpSocket } from "../net/udp_socket.ts";
import type { Agent } from "./agents.ts";
import { watchClient } from "./client_gone.ts";
import type { Asked } from "./observer.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";
import { UdpFlows, type UdpFlowsOptions } from "./udp_flows.ts";

/** Where what comes to a port goes. */
export interface ForwardTo {
  readonly group: string;
  readonly target: TunnelTarget;
  /** Only through those, where it is not for any of the group. */
  readonly agents?: readonly Agent[];
}

export interface ForwardPortOptions extends UdpFlowsOptions {
  protocol: "tcp" | "udp";
  listen: ListenAddress;
  /** Asked for each connection, or flow of datagrams; `null` for nowhere. */
  route: () => ForwardTo | null;
  /** A connection was not taken. */
  onRefused: (refusal: Refusal) => void;
}

/** A port of the gateway that leads to a service behind an agent. */
export interface ForwardPort {
  readonly port: number;
  /** Frees it at once, and ends what goes through it. */
  close(): void;
}

/** Listens; throws `NetError` when the port is taken or the address is not ours. */
export async function forwardPort(options: ForwardPortOptions): Promise<ForwardPort> {
  return options.protocol === "tcp" ? await tcpPort(options) : udpPort(options);
}

async function tcpPort(options: ForwardPortOptions): Promise<ForwardPort> {
  const { listen, sweeper, onBug, onRefused } = options;
  const server = await listenRaw({
    ...listen,
    ...{ maxHandshakes: 0, handshakeTimeoutMs: 0, sweeper, onBug },
    onAccept: (accepted) => void forward(accepted, options),
    onRefused,
  });
  return { port: server.port, close: () => void server.closeAll() };
}

async function forward({ stream, remote }: Accepted, options: ForwardPortOptions): Promise<void> {
  const { gateway, route, onBug } = options;
  try {
    const to = route();
    if (to === null) return;
    // Who has nothing to say may end its side at once, and read.
    const client = watchClient(stream, { goneAtFin: false });
    const connection = await gateway.open(ask(to, remote), client.gone, to.agents);
    await gateway.carry(connection, client.stream);
  } catch (error) {
    if (!(error instanceof TunnelRefused)) onBug("forward", error);
  } finally {
    stream.abort();
  }
}

function udpPort(options: ForwardPortOptions): ForwardPort {
  const socket = new UdpSocket(options.listen);
  const flows = new UdpFlows(options);
  void (async () => {
    for (let came = await socket.receive(); came !== null; came = await socket.receive()) {
      const { bytes, from } = came;
      const client = addressText(from.address, from.port);
      flows.push(client, bytes, () => {
        const to = options.route();
        if (to === null) return null;
        const send = (datagram: Uint8Array) => socket.send(datagram, from);
        return { ask: ask(to, client), agents: to.agents, send };
      });
    }
  })();
  const close = () => {
    socket.close();
    flows.close();
  };
  return { port: socket.port, close };
}

function ask({ group, target }: ForwardTo, client: string): Omit<Asked, "id"> {
  return { front: "forward", client, user: "", group, target };
}
