import assert from "node:assert/strict";
import type { RoundTrips } from "./handshake.ts";
import { measure } from "./measures.ts";
import { onEachPath } from "./paths.ts";
import { printTable } from "./table.ts";

/** What each is made of. The client waits for the server's SETTINGS (RFC 8441 §3, RFC 9220 §3). */
const WANT: (RoundTrips & { parts: string })[] = [
  { http: "1.1", first: 3, second: 3, parts: "TCP, TLS 1.3, Upgrade" },
  { http: "2", first: 4, second: 1, parts: "TCP, TLS 1.3, SETTINGS, CONNECT" },
  { http: "3", first: 2, second: 1, parts: "QUIC with TLS 1.3 and SETTINGS, CONNECT" },
];

onEachPath("round trips until a socket is open", async (kind, title) => {
  const measured = await measure("roundTrips", WANT.map(({ http }) => ({ kind, http })));
  const rows = measured.map(({ http, first, second }, i) => [http, first, second, WANT[i].parts]);
  printTable(title, ["HTTP", "first", "second", "each of the first's"], rows);
  assert.deepEqual(measured, WANT.map(({ http, first, second }) => ({ http, first, second })));
});
