/**
 * An echo server over HTTP/3, HTTP/2 and HTTP/1.1, at one port.
 *
 *     h3ws certs
 *     deno run -A echo.ts
 *     h3ws bench wss://localhost:8443/ --ca ca.pem
 */
import { serve } from "h3ws";

const server = await serve({
  listen: Deno.args[0] ?? "127.0.0.1:8443",
  certPem: await Deno.readTextFile("cert.pem"),
  keyPem: await Deno.readTextFile("key.pem"),
  permessageDeflate: true,
  pingIntervalMs: 30_000, // a client that is gone is found out
  fetch: () => new Response("Open a WebSocket here.\n"),
}, async (request) => {
  const socket = await request.accept({ protocol: request.subprotocols[0] });
  // One message at a time: a client that does not read is not read from.
  for await (const message of socket) await socket.send(message);
  const { code, by } = await socket.closed;
  console.log(`closed by ${by} with ${code}, over HTTP/${socket.http}`);
});
console.log(`wss://localhost:${server.port}/`);

// Ctrl+C, or a service that is stopped: every socket gets Close 1001.
async function stop() {
  await server.shutdown(5_000);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
