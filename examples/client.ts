/**
 * A client over HTTP/3: several sockets on one connection, and what it got.
 *
 *     h3ws echo --tls                         # it prints where its ca.pem is
 *     deno run -A client.ts wss://localhost:8443/ ca.pem
 */
import { Connections, type ConnectOptions, connectWebSocket, UpgradeRefused } from "h3ws";

const [url = "wss://localhost:8443/", ca = "ca.pem"] = Deno.args;

using connections = new Connections();
const options: ConnectOptions = {
  httpVersion: "3", // without it: the best that the server has
  connections,
  caCerts: [await Deno.readTextFile(ca)],
};

try {
  const sockets = await Promise.all(
    [1, 2, 3].map(() => connectWebSocket(url, options)),
  );
  console.log(
    `${sockets.length} sockets, ${connections.size} connection, HTTP/${sockets[0].http}`,
  );
  for (const [i, socket] of sockets.entries()) {
    const startMs = performance.now();
    await socket.send(`hello ${i}`);
    const answer = await socket.receive();
    console.log(
      `${answer} after ${(performance.now() - startMs).toFixed(1)} ms`,
    );
    console.log(`ping: ${(await socket.ping()).toFixed(1)} ms`);
  }
  const ends = await Promise.all(
    sockets.map((socket) => socket.close(1000, "bye")),
  );
  console.log(
    `closed: ${ends.map(({ code, by }) => `${code} by ${by}`).join(", ")}`,
  );
} catch (error) {
  // A refusal is an answer, with a status and a body; all else says in a sentence what to try.
  if (error instanceof UpgradeRefused) {
    console.error(`refused with ${error.status}`);
  } else console.error(error instanceof Error ? error.message : error);
  Deno.exitCode = 1;
}
