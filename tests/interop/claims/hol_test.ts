// RFC 9000 §2: a stream's bytes are in order, those of others are none of its concern. RFC 9293 §3.4: in
// TCP all are in one order. What that comes to for sockets that share a connection.
import assert from "node:assert/strict";
import { measure } from "./measures.ts";
import { onBestPath, onEachPath } from "./paths.ts";
import { printTable } from "./table.ts";

const VERSIONS = ["1.1", "2", "3"] as const;

onEachPath("sockets that one lost packet holds up", async (kind, title) => {
  const each = VERSIONS.map((http) => ({ kind, http, packed: false }));
  const rows = [...each, { ...each[2], packed: true }];
  const measured = await measure("blocking", rows);
  printTable(
    title,
    ["HTTP", "others", "messages in it", "others held up"],
    measured.map(({ http, sockets, lost, blocked }, i) => [
      rows[i].packed ? `${http}, all in one turn` : http,
      ...[sockets - 1, lost.join(" "), blocked.join(" ")],
    ]),
  );
  const [h1, h2, ...h3] = measured;
  for (const { lost, blocked } of measured) assert.equal(lost.length, blocked.length);
  assert.ok(h1.blocked.every((count) => count === 0), "each has a connection of its own");
  assert.ok(h2.blocked.every((count) => count === h2.sockets - 1), "all wait for the lost segment");
  for (const { lost, blocked } of h3) {
    blocked.forEach((count, i) => {
      assert.ok(count < lost[i], `${count} waited for a packet of ${lost[i]} messages`);
    });
  }
});

onBestPath("latency of steady messages at 3 % loss", async (kind, title) => {
  const measured = await measure("latency", VERSIONS.map((http) => ({ kind, http })));
  printTable(
    `${title}; the way alone takes 20 ms`,
    ["HTTP", "lost", "overtook", "late", "p50", "p95", "p99", "max"],
    measured.map(({ http, lost, overtook, messages, late, p50Ms, p95Ms, p99Ms, maxMs }) => [
      ...[http, lost, `${overtook} of ${messages}`, `${(late * 100).toFixed(1)} %`],
      ...[p50Ms, p95Ms, p99Ms, maxMs].map((ms) => `${ms.toFixed(0)} ms`),
    ]),
  );
  const [h1, h2, h3] = measured;
  for (const { lost } of measured) assert.ok(lost > 0);
  assert.equal(h2.overtook, 0, "RFC 9293 §3.4: all are in one order");
  assert.ok(h1.overtook > 0 && h3.overtook > 0, "others go on behind a loss");
});
