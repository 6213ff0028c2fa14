// A WebSocket server that is not ours: Deno's own, which is fastwebsockets (Rust).
import { until } from "./until.ts";

export interface ForeignBackend extends AsyncDisposable {
  readonly port: number;
  /** Its sockets in the order they came. */
  readonly sockets: readonly WebSocket[];
  /** The requests that they came by. */
  readonly requests: readonly Request[];
  /** How the sockets ended that have ended. */
  readonly closes: readonly { code: number; reason: string }[];
}

/** Echoes text and binary; takes the first subprotocol on offer. Listens on 127.0.0.1. */
export function startForeignBackend(): ForeignBackend {
  const sockets: WebSocket[] = [];
  const requests: Request[] = [];
  const closes: { code: number; reason: string }[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const protocol = request.headers.get("sec-websocket-protocol")?.split(",")[0].trim();
    // 0: no ping of its own, whose timer would outlive the test.
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol, idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => socket.send(data);
    socket.onclose = ({ code, reason }) => closes.push({ code, reason });
    sockets.push(socket);
    requests.push(request);
    return response;
  });
  return {
    port: server.addr.port,
    sockets,
    requests,
    closes,
    async [Symbol.asyncDispose]() {
      await until("the end of the backend's sockets", () => closes.length === sockets.length);
      await server.shutdown();
    },
  };
}
