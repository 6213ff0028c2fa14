// What a server tells: its observer, its log, and a handler of Pings and Pongs.
import assert from "node:assert/strict";
import { runDeno } from "../../scripts/project.ts";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { ServerObserver } from "../../src/server/observer.ts";
import { serve } from "../../src/server/server.ts";
import { DOOR_IDS, DoorPeers, say } from "../support/door_peers.ts";
import { fromClient } from "../support/frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { h2Frame, RawH2 } from "../support/raw_h2.ts";
import { dataFrame, RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { echo, withServer } from "./support.ts";

/** All that it is told, in words. */
function toldTo(told: unknown[]): Partial<ServerObserver> {
  return {
    connectionOpened: (http) => void told.push(`opened ${http}`),
    connectionClosed: (http, { byPeer, durationMs }) => {
      assert.ok(durationMs >= 0);
      told.push(`closed ${http} ${byPeer ? "by the client" : "by us"}`);
    },
    socketOpened: ({ id, http, path, protocol }) => void told.push({ id, http, path, protocol }),
    socketClosed: ({ id, code, reason, by, durationMs, client }) => {
      assert.ok(durationMs >= 0);
      assert.match(client, /^127\.0\.0\.1:[0-9]+$/);
      told.push({ id, code, reason, by });
    },
    rejected: ({ reason, status, path, message }) => {
      told.push({ reason, status, path, message });
    },
    failed: (stage, message) => void told.push([stage, message]),
    handshakeFailed: ({ kind }) => void told.push(`no handshake: ${kind}`),
  };
}

Deno.test("told: an observer is told of connections, sockets, refusals, and clients that break rules", async () => {
  const told: unknown[] = [];
  const observer = toldTo(told);
  const { caPem, certPem, keyPem } = await testCertificates();
  const at = { listen: "127.0.0.1:0", plainListen: "127.0.0.1:0" };
  const server = await serve({ ...at, certPem, keyPem, observer, allowedOrigins: [] }, echo);
  const { port, plainPort } = server;
  const next = async (...want: unknown[]) => {
    await until("what is told", () => told.length >= want.length);
    assert.deepEqual(told.splice(0), want);
  };
  {
    await using peers = new DoorPeers({ port: port!, plainPort, caPem });
    const fields = [["sec-websocket-protocol", "chat"]] as const;
    const tunnel = await peers.open("h3", { path: "/a?token=secret", fields });
    await next("opened 3", { id: 1, http: "3", path: "/a", protocol: "chat" });
    tunnel.send(fromClient.close(4001, "bye"));
    await tunnel.inbox.frame();
    tunnel.fin();
    await next({ id: 1, code: 4001, reason: "bye", by: "peer" });
    const origin = [["origin", "https://a.example"]] as const;
    assert.equal((await peers.open("h3", { path: "/b?token=secret", fields: origin })).status, 403);
    const [refused] = told.splice(0) as { message: string }[];
    assert.deepEqual({ ...refused, message: "" }, {
      ...{ reason: "origin", status: 403, path: "/b", message: "" },
    });
    assert.match(refused.message, /origin/i);
  }
  await next("closed 3 by the client");
  const broken = await RawH2.connect({ port: plainPort! });
  broken.write(h2Frame([6], 0, new Uint8Array(3)));
  await broken.closed;
  await until("its end", () => told.length === 3);
  const [opened, fault, closed] = told.splice(0);
  assert.deepEqual([opened, closed], ["opened 2", "closed 2 by us"]);
  assert.equal((fault as string[])[0], "http_framing");
  const h3 = await RawClient.connect({ port: port!, caCerts: [caPem] });
  await (await h3.openStream()).write(dataFrame(new Uint8Array(1)));
  assert.equal((await h3.quic.closed).code, H3Code.H3_FRAME_UNEXPECTED);
  await until("its end", () => told.length === 3);
  assert.deepEqual([told[0], (told[1] as string[])[0]], ["opened 3", "h3_framing"]);
  told.length = 0;
  using plain = await Deno.connect({ hostname: "127.0.0.1", port: port! });
  await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await until("the failed handshake", () => told.length === 1);
  assert.match(String(told[0]), /^no handshake: /);
  await server.stop();
});

Deno.test("told: accept: onPing and onPong are told each, and Pings are answered all the same", async () => {
  const heard: string[] = [];
  const text = (payload: Uint8Array) => new TextDecoder().decode(payload);
  await withServer({}, async (request) => {
    const socket = await request.accept({
      onPing: (payload) => void heard.push(`ping ${text(payload)}`),
      onPong: (payload) => void heard.push(`pong ${text(payload)}`),
    });
    for await (const message of socket) await socket.send(message);
  }, async ({ peers }) => {
    for (const door of DOOR_IDS) {
      const tunnel = await peers.open(door);
      tunnel.send(fromClient.frame(Opcode.PING, door));
      const pong = await tunnel.inbox.frame();
      assert.deepEqual([pong!.opcode, text(pong!.payload)], [Opcode.PONG, door]);
      tunnel.send(fromClient.frame(Opcode.PONG, "unasked"));
      assert.equal(await say(tunnel, "then"), "then");
      assert.deepEqual(heard.splice(0), [`ping ${door}`, "pong unasked"]);
    }
  });
});

Deno.test("told: without a log of one's own errors alone go to the console", async () => {
  const mod = new URL("../../src/mod.ts", import.meta.url);
  const program = `
    import { connectWebSocket, serve } from "${mod}";
    console.error = (...line) => console.log("error", ...line.map((part) => part.split("\\n")[0]));
    const server = await serve({ plainListen: "127.0.0.1:0" }, async (request) => {
      await request.accept();
      throw new Error("of the handler");
    });
    const socket = await connectWebSocket(\`ws://127.0.0.1:\${server.plainPort}/a?b\`);
    console.log((await socket.close()).code, await socket.closed.then(({ code }) => code));
    await server.shutdown();
  `;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/program.ts`, program);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const said = await runDeno(["run", "-A", "--config", config, `${folder}/program.ts`]);
    const lines = said.trimEnd().split("\n");
    const [error] = lines.filter((line) => line.startsWith("error"));
    assert.match(
      error,
      /^error socket\.handler_failed: http=1\.1 path=\/a client=.* error=Error: of the handler$/,
    );
    assert.equal(lines.length, 2, said);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
