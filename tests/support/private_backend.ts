/** A server that nobody but an agent is to reach: an echo of WebSockets, and of requests. */
export interface PrivateBackend extends AsyncDisposable {
  readonly port: number;
  /** The paths of requests, each with the port that its connection came from. */
  readonly requests: readonly { readonly path: string; readonly from: number }[];
  /** What `/live` answers. */
  status: number;
}

/** Listens on a free port of 127.0.0.1. */
export function startPrivateBackend(): PrivateBackend {
  const requests: { path: string; from: number }[] = [];
  const controller = new AbortController();
  const server = Deno.serve({
    ...{ hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: controller.signal },
  }, (request, { remoteAddr }) => {
    const { pathname: path } = new URL(request.url);
    requests.push({ path, from: remoteAddr.port });
    if (path === "/live") return new Response(null, { status: backend.status });
    if (request.headers.get("upgrade") === null) return new Response(`private ${path}\n`);
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  const backend: PrivateBackend = {
    port: server.addr.port,
    requests,
    status: 200,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await server.finished;
    },
  };
  return backend;
}
