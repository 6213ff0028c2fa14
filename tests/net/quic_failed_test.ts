// Attempts to connect by QUIC where nobody answers.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { testAlone } from "../support/alone.ts";

/** Some may still be about to end. */
const MOST_LEFT = 16;
const ATTEMPTS = 100;

testAlone(import.meta.url, {
  name: "quic: a hundred attempts that were given up leave few sockets",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const { port } = silent.addr as Deno.NetAddr;
    const sockets = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = sockets();
    for (let i = 0; i < ATTEMPTS; i++) {
      const given = new AbortController();
      const attempt = connectQuic({
        ...{ hostname: "127.0.0.1", port, alpnProtocols: ["h3"], signal: given.signal },
        ...{ maxStreams: 1, idleTimeoutMs: 10_000, keepaliveMs: 5_000 },
      });
      // It has begun when its first packet is there.
      await silent.receive();
      given.abort(new NetError("timeout", "no answer"));
      await assert.rejects(attempt, NetError);
    }
    // Seldom: to look makes garbage, for which V8 collects by itself.
    let looks = 15;
    while (sockets() > before + MOST_LEFT && looks-- > 0) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    assert.ok(sockets() <= before + MOST_LEFT, `${before}, then ${sockets()} descriptors`);
    silent.close();
  },
});
