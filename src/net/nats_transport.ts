// NATS by the library's own TCP, whose sockets nobody hears at times: it takes all listeners away
// before it closes one, and between the steps of a connection. An "error" then, as of a server that
// refuses the login and resets, would end the process.
import type { Socket } from "node:net";
import {
  type ConnectionOptions,
  type NatsConnection,
  NatsConnectionImpl,
  setTransportFactory,
} from "@nats-io/transport-node/lib/nats-base-client.js";
import { nodeResolveHost, NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";

class HeardTransport extends NodeTransport {
  override async dial(at: Parameters<NodeTransport["dial"]>[0]): Promise<Socket> {
    return heard(await super.dial(at));
  }

  override async startTLS(): ReturnType<NodeTransport["startTLS"]> {
    return heard(await super.startTLS());
  }
}

/** From now on somebody hears its errors, whoever takes all listeners away. */
function heard<T extends Socket>(socket: T): T {
  const removeAll = socket.removeAllListeners;
  // It asks how many arguments there are.
  socket.removeAllListeners = (...events: [event?: string | symbol]) => {
    removeAll.apply(socket, events);
    return socket.on("error", ignore);
  };
  return socket.on("error", ignore);
}

/** Its end is told all the same. */
function ignore(): void {}

/** As `connect` of the library. */
export function connectNats(options: ConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({
    factory: () => new HeardTransport(),
    dnsResolveFn: nodeResolveHost,
  });
  return NatsConnectionImpl.connect(options);
}
