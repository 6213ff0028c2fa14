/**
 * Chat with rooms: whoever is at wss://localhost:8443/rooms/NAME hears all that is said there.
 *
 *     h3ws certs
 *     deno run -A chat.ts
 *     h3ws connect 'wss://localhost:8443/rooms/tea?name=ada' --ca ca.pem
 */
import { serve, type Socket } from "h3ws";

const rooms = new Map<string, Set<Socket>>();

/** Nobody waits for somebody slow: who has too much unread is out. */
const MAX_UNREAD_BYTES = 256 * 1024;

function tell(room: Set<Socket>, from: string, text: string): void {
  const line = JSON.stringify({ from, text });
  for (const socket of room) {
    if (socket.bufferedAmount > MAX_UNREAD_BYTES) {
      void socket.close(1008, "reads too slowly");
    } else socket.send(line).catch(() => {}); // it is leaving
  }
}

const server = await serve({
  listen: Deno.args[0] ?? "127.0.0.1:8443",
  certPem: await Deno.readTextFile("cert.pem"),
  keyPem: await Deno.readTextFile("key.pem"),
  maxMessageBytes: 4096,
}, async (request) => {
  const name = /^\/rooms\/(\w{1,32})$/.exec(request.path)?.[1];
  const from = new URLSearchParams(request.queryString).get("name") ?? "";
  if (name === undefined) return await request.reject(404, {}, "No such room.\n");
  if (!/^\w{1,32}$/.test(from)) return await request.reject(400, {}, "Say ?name=YOURS.\n");

  const socket = await request.accept();
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room.add(socket));
  tell(room, "", `${from} has come, over HTTP/${socket.http}`);
  try {
    for await (const message of socket) {
      if (typeof message === "string") tell(room, from, message);
      else void socket.close(1003, "text alone");
    }
  } finally {
    room.delete(socket);
    if (room.size === 0) rooms.delete(name);
    else tell(room, "", `${from} has gone`);
  }
});
console.log(`wss://localhost:${server.port}/rooms/NAME?name=YOURS`);

// Ctrl+C, or a service that is stopped: every socket gets Close 1001.
async function stop() {
  await server.shutdown(5_000);
  Deno.exit();
}
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
