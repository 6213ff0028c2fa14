/**
 * Who may come in: a token in a cookie, for pages of this origin, or in a subprotocol, for a page's
 * `new WebSocket(url, ["chat", "token.SECRET"])`, which can't set headers. Without one, 401.
 *
 *     h3ws certs
 *     TOKENS=ada=s3cret deno run -A auth.ts
 *     h3ws connect wss://localhost:8443/ --ca ca.pem -s chat -s token.s3cret
 */
import { serve, type WebSocketRequest } from "h3ws";

/** Names by the SHA-256 of their tokens: how long a look takes tells nothing of a token. */
const names = new Map<string, string>();
for (const pair of (Deno.env.get("TOKENS") ?? "").split(",")) {
  const [name, token] = pair.split("=");
  if (token) names.set(await digest(token), name);
}

async function digest(token: string): Promise<string> {
  const bytes = new TextEncoder().encode(token);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function nameOf({ headers, subprotocols }: WebSocketRequest): Promise<string | undefined> {
  const cookie = /(?:^|; )token=([^;]+)/.exec(headers.get("cookie") ?? "")?.[1];
  const offered = subprotocols.find((one) => one.startsWith("token."))?.slice("token.".length);
  const token = offered ?? cookie;
  return token === undefined ? undefined : names.get(await digest(token));
}

const server = await serve({
  listen: Deno.args[0] ?? "127.0.0.1:8443",
  certPem: await Deno.readTextFile("cert.pem"),
  keyPem: await Deno.readTextFile("key.pem"),
  // A browser sends cookies with a socket that any page opens: so only pages of this origin may.
  allowedOrigins: ["https://localhost:8443"],
}, async (request) => {
  const name = await nameOf(request);
  if (name === undefined) {
    return await request.reject(401, { "www-authenticate": "Bearer" }, "Who are you?\n");
  }
  // The token is not sent back: of what was offered, the other one is chosen.
  const protocol = request.subprotocols.find((one) => !one.startsWith("token."));
  const socket = await request.accept({ protocol });
  await socket.send(`welcome, ${name}`);
  for await (const message of socket) await socket.send(message);
});
console.log(`wss://localhost:${server.port}/`);

// Ctrl+C, or a service that is stopped: every socket gets Close 1001.
async function stop() {
  await server.shutdown(5_000);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
