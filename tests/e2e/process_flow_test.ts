// `h3ws proxy` as a process of its own: what passes through it, and what it counts of that.
import assert from "node:assert/strict";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import { withProcess } from "./process_support.ts";

Deno.test("process: --max-header-bytes is the backend's limit, too: 502 for an answer above it", async () => {
  await withProcess(["--max-header-bytes", "2KiB"], async ({ proxy, backend, connect }) => {
    const quic = await connect();
    const answered = async (status: string, size: number) => {
      const client = await quic.connectWs();
      const conn = await backend.accept();
      await conn.request();
      const line = `X: ${"y".repeat(size)}`;
      if (status === "101") conn.upgrade([line]);
      else conn.write(`HTTP/1.1 ${status} No\r\n${line}\r\nContent-Length: 0\r\n\r\n`);
      const head = await client.response();
      client.abort();
      await conn.inbox.rest();
      return head.status;
    };
    assert.equal(await answered("403", 1500), 403);
    assert.equal(await answered("403", 2500), 502);
    assert.equal(await answered("101", 1500), 200);
    assert.equal(await answered("101", 2500), 502);
    const { stage, message } = await proxy.logged("ws.error");
    assert.equal(stage, "backend_handshake");
    assert.match(String(message), /did not upgrade: .*longer than allowed/);
  });
});

Deno.test("process: /metrics counts bytes, frames and messages while the socket is open", async () => {
  await withProcess([], async ({ proxy, backend, connect }) => {
    const quic = await connect();
    const client = await quic.connectWs();
    const conn = await backend.upgrade();
    await client.response();
    const up = fromClient.frame(Opcode.BINARY, new Uint8Array(1000));
    const down = fromBackend.text("x".repeat(300));
    for (let i = 1; i <= 3; i++) {
      await client.send(up);
      assert.deepEqual(await conn.inbox.take(up.length), up);
      conn.write(down);
      assert.deepEqual(await client.inbox.take(down.length), down);
      const want = {
        'bytes_total{dir="h3_to_h1"}': i * up.length,
        'bytes_total{dir="h1_to_h3"}': i * down.length,
        'messages_total{dir="h3_to_h1",type="binary"}': i,
        'messages_total{dir="h1_to_h3",type="text"}': i,
        'frames_total{dir="h3_to_h1",opcode="binary"}': i,
        'frames_total{dir="h1_to_h3",opcode="text"}': i,
        "active_sessions": 1,
      };
      for (const [series, value] of Object.entries(want)) {
        assert.equal(await proxy.metric(`h3ws_proxy_${series}`), value, `${series} after ${i}`);
      }
    }
    await client.fin();
    conn.fin();
  });
});
