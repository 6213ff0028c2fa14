/**
 * A Hono application over HTTP/3, HTTP/2 and HTTP/1.1, with WebSockets beside it. Oak and others that
 * have `fetch` go the same way.
 *
 *     h3ws certs
 *     deno run -A hono.ts
 *     curl --cacert ca.pem --http2 https://localhost:8443/hello/ada
 */
import { Hono } from "hono";
import { fromFetch, serve, type Socket } from "h3ws";

const listeners = new Set<Socket>();

const app = new Hono();
app.get("/", (c) => c.text("POST /news, or open a WebSocket at /news\n"));
app.get("/hello/:name", (c) => {
  // What the server knows of the request is in c.env.
  const { httpVersion } = c.env as { httpVersion: string };
  return c.json({ hello: c.req.param("name"), httpVersion });
});
app.post("/news", async (c) => {
  const text = await c.req.text();
  for (const socket of listeners) socket.send(text).catch(() => {}); // it is leaving
  return c.json({ listeners: listeners.size }, 202);
});

const server = await serve({
  listen: Deno.args[0] ?? "127.0.0.1:8443",
  certPem: await Deno.readTextFile("cert.pem"),
  keyPem: await Deno.readTextFile("key.pem"),
  fetch: fromFetch(app),
}, async (request) => {
  if (request.path !== "/news") return await request.reject(404);
  const socket = await request.accept();
  listeners.add(socket);
  for await (const _ of socket); // what it says is read, and not heard
  listeners.delete(socket);
});
console.log(`https://localhost:${server.port}/`);

// Ctrl+C, or a service that is stopped: every socket gets Close 1001.
async function stop() {
  await server.shutdown(5_000);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
