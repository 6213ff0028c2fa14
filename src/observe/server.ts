import type { Registry } from "./registry.ts";

/** Where the proxy is in its life. */
export type Readiness = "starting" | "ready" | "draining";

export interface AdminServerOptions {
  /** The TCP address to listen on; port 0 for any. `null` is off. */
  address: { hostname: string; port: number } | null;
  registry: Registry;
  /** Asked at each `/readyz`. */
  readiness: () => Readiness;
  /** Asked at each `/stats`. */
  stats: () => object;
  /** The same at `/agents`; without it there is none. */
  agents?: () => object;
  /** Told what failed while an answer was made. */
  failed: (error: unknown) => void;
}

export interface AdminServer {
  readonly hostname: string;
  readonly port: number;
  /** Stops listening; answers under way have a second to finish. */
  close(): Promise<void>;
}

type Handler = () => Response | Promise<Response>;

const CLOSE_TIMEOUT_MS = 1000;
/** How long until it listens again, when what it listened with broke. */
const AGAIN_MS = 1000;

/**
 * The server for operators: `/metrics`, `/stats` and `/agents` (JSON), `/healthz` (200 while the process lives) and `/readyz` (503
 * before start and while draining). `null` when it is off.
 *
 * @throws {Error} when it cannot listen; `cause` is Deno's error.
 */
export function startAdminServer(options: AdminServerOptions): AdminServer | null {
  const { address, failed } = options;
  if (address === null) return null;
  const handle = adminHandler(options);
  const onError = (error: unknown) => {
    failed(error);
    return text(500, "internal error");
  };
  const listen = (hostname: string, port: number) =>
    Deno.serve({ hostname, port, onListen: () => {}, onError }, handle);
  const { hostname, port } = address;
  try {
    return keepListening(listen(hostname, port), { listen, failed });
  } catch (error) {
    throw new Error(`Cannot listen on TCP ${shown(hostname, port)}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Deno 2.9.6: a server whose accept() fails, as it does when no descriptor is free, is over, and
 * its `finished` rejects. It is tried again until it is closed.
 */
function keepListening(
  first: Deno.HttpServer<Deno.NetAddr>,
  { listen, failed }: {
    listen: (hostname: string, port: number) => Deno.HttpServer<Deno.NetAddr>;
    failed: (error: unknown) => void;
  },
): AdminServer {
  const { hostname, port } = first.addr;
  let server = first;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  const broken = (error: unknown) => {
    failed(error);
    if (closed) return;
    timer = setTimeout(() => {
      try {
        server = listen(hostname, port);
        server.finished.catch(broken);
      } catch (error) {
        broken(error);
      }
    }, AGAIN_MS);
    Deno.unrefTimer(timer);
  };
  server.finished.catch(broken);
  return {
    hostname,
    port,
    close() {
      closed = true;
      clearTimeout(timer);
      return closeServer(server);
    },
  };
}

/** The answers of the admin server, without the server. */
export function adminHandler(
  { registry, readiness, stats, agents }: Pick<
    AdminServerOptions,
    "registry" | "readiness" | "stats" | "agents"
  >,
): (request: Request) => Promise<Response> {
  const routes = new Map<string, Handler>([
    ["/metrics", async () => {
      const metrics = await registry.read();
      return answer(200, await metrics.metrics(), metrics.contentType);
    }],
    ["/stats", () => json(stats())],
    ...(agents === undefined ? [] : [["/agents", () => json(agents())] as const]),
    ["/healthz", () => text(200, "ok")],
    ["/readyz", () => {
      const state = readiness();
      return text(state === "ready" ? 200 : 503, state);
    }],
  ]);
  return async ({ url, method }) => {
    // RFC 9112 §3.2: 400 for an invalid Host, of which Deno makes an invalid URL.
    const parsed = URL.parse(url);
    if (parsed === null) return text(400, "invalid host");
    const route = routes.get(parsed.pathname);
    if (!route) return text(404, "not found");
    // RFC 9110 §15.5.6: a 405 MUST have an Allow field.
    if (method !== "GET" && method !== "HEAD") {
      const refusal = text(405, "method not allowed");
      refusal.headers.set("allow", "GET, HEAD");
      return refusal;
    }
    return await route();
  };
}

function json(value: object): Response {
  return answer(200, `${JSON.stringify(value)}\n`, "application/json");
}

function text(status: number, line: string): Response {
  return answer(status, `${line}\n`, "text/plain; charset=utf-8");
}

function answer(status: number, body: string, contentType: string): Response {
  const headers = { "content-type": contentType, "cache-control": "no-store" };
  return new Response(body, { status, headers });
}

// Deno 2.9.6: aborting the server's signal after shutdown() throws where nobody can catch it. So a
// client that does not read its answer keeps its connection, but not the process.
async function closeServer(server: Deno.HttpServer): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT_MS));
  server.unref();
  await Promise.race([server.shutdown(), limit]);
  clearTimeout(timer);
}

function shown(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is in use";
  if (error instanceof Deno.errors.AddrNotAvailable) return "not an address of this machine";
  if (error instanceof Deno.errors.PermissionDenied) return "not permitted";
  return error instanceof Error ? error.message : String(error);
}
