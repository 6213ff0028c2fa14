import assert from "node:assert/strict";
import { connectWebSocket } from "../../../src/client/connect.ts";
import { Connections } from "../../../src/client/connections.ts";
import { serve } from "../../../src/server/server.ts";
import { testCertificates } from "../../support/proxy.ts";
import { startTcpRelay } from "../../support/tcp_relay.ts";
import { startUdpRelay } from "../../support/udp_relay.ts";
import { printTable } from "./table.ts";

const SOCKETS = 50;

/** How many connections the network sees, and the server, while all sockets are open. */
async function connectionsOf(httpVersion: "1.1" | "2" | "3"): Promise<[number, number]> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const server = await serve({ listen: "127.0.0.1:0", certPem, keyPem }, async (request) => {
    const socket = await request.accept();
    for await (const message of socket) await socket.send(message);
  });
  using connections = new Connections();
  try {
    const udp = startUdpRelay(server.port!);
    const tcp = startTcpRelay(server.port!);
    await using relay = httpVersion === "3" ? udp : tcp;
    await using _other = httpVersion === "3" ? tcp : udp;
    const url = `wss://localhost:${relay.port}/`;
    // All at once: none of them can know of another's connection.
    const sockets = await Promise.all(
      Array.from({ length: SOCKETS }, async (_, i) => {
        const socket = await connectWebSocket(url, { httpVersion, connections, caCerts: [caPem] });
        await socket.send(`${i}`);
        assert.equal(await socket.receive(), `${i}`);
        return socket;
      }),
    );
    const counts: [number, number] = [udp.clients + tcp.connections, server.connections];
    await Promise.all(sockets.map((socket) => socket.close()));
    return counts;
  } finally {
    await server.stop();
  }
}

Deno.test("claims: sockets share one connection over HTTP/2 and HTTP/3", async () => {
  const rows: [string, number, number][] = [];
  for (const http of ["1.1", "2", "3"] as const) rows.push([http, ...await connectionsOf(http)]);
  printTable(
    `connections (each with one handshake of TLS 1.3) of ${SOCKETS} sockets that open at once`,
    ["HTTP", "on the network", "at the server"],
    rows,
  );
  assert.deepEqual(rows, [["1.1", SOCKETS, SOCKETS], ["2", 1, 1], ["3", 1, 1]]);
});
