/**
 * The proxy in a program: HTTP/3, HTTP/2 and HTTP/1.1 in, a ws:// backend out; beside it a page of
 * what goes through it.
 *
 *     h3ws certs
 *     h3ws echo --listen 127.0.0.1:8080 &
 *     deno run -A proxy.ts
 *     h3ws bench wss://localhost:8443/ws --ca ca.pem & curl http://127.0.0.1:9090/
 */
import { createLineLog, createMetricsObserver, proxyOptions, startProxy } from "h3ws";

const [
  listen = "127.0.0.1:8443",
  backend = "ws://127.0.0.1:8080",
  port = "9090",
] = Deno.args;

const log = createLineLog({ level: "info" }); // to stderr
const observer = createMetricsObserver(log);
const proxy = await startProxy(proxyOptions({
  listen,
  backend,
  certPem: await Deno.readTextFile("cert.pem"),
  keyPem: await Deno.readTextFile("key.pem"),
  path: "/ws",
  maxMessageBytes: 64 * 1024, // all other limits are those of `h3ws proxy`
  observer,
}));

const page = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  onListen() {},
}, () => {
  const { sessions, connections } = proxy;
  return Response.json({ sessions, connections, ...observer.stats() });
});
console.log(
  `wss://localhost:${proxy.port}/ws http://127.0.0.1:${page.addr.port}/`,
);

// Ctrl+C, or a service that is stopped: every socket gets Close 1001 within five seconds.
async function stop() {
  await proxy.drain(5_000);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
