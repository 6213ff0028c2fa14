// However sessions end, the process has nothing left of them.
import assert from "node:assert/strict";
import { type BackendConn, RawBackend } from "../support/backend.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import { startProxyProcess } from "../support/process.ts";
import { RawClient, type RawStream } from "../support/raw_h3.ts";
import { startUdpRelay } from "../support/udp_relay.ts";
import { until } from "../support/until.ts";

const SESSIONS = 50;

interface Open {
  quic: RawClient;
  sessions: { client: RawStream; backend: BackendConn }[];
  /** Takes the client off the network. */
  cut(): void;
}

interface End {
  name: string;
  end(open: Open): void | Promise<void>;
  by: string;
  code: number;
}

const ENDS: End[] = [
  {
    name: "client close",
    async end({ sessions }) {
      for (const { client, backend } of sessions) {
        await client.send(fromClient.close(1000));
        await backend.frame();
        backend.write(fromBackend.close(1000));
        backend.fin();
        await client.inbox.rest();
        await client.fin();
      }
    },
    ...{ by: "client", code: 1000 },
  },
  {
    name: "client close, its stream and the backend's connection left open",
    async end({ sessions }) {
      for (const { client, backend } of sessions) {
        await client.send(fromClient.close(4000));
        await backend.frame();
        backend.write(fromBackend.close(4000));
      }
    },
    ...{ by: "client", code: 4000 },
  },
  {
    name: "client FIN without Close",
    async end({ sessions }) {
      for (const { client, backend } of sessions) {
        await client.fin();
        await backend.inbox.rest();
        backend.fin();
      }
    },
    ...{ by: "client", code: 1006 },
  },
  {
    name: "client stops reading (STOP_SENDING) when the backend writes",
    async end({ quic, sessions }) {
      sessions.forEach(({ client }) => client.abort());
      await quic.roundTrip();
      sessions.forEach(({ backend }) => backend.write(fromBackend.text("too late")));
    },
    ...{ by: "client", code: 1006 },
  },
  {
    name: "client closes the connection",
    end: ({ quic }) => quic.close(),
    ...{ by: "client", code: 1006 },
  },
  {
    name: "client is lost",
    end: ({ cut }) => cut(),
    ...{ by: "client", code: 1006 },
  },
  {
    name: "backend close",
    async end({ sessions }) {
      for (const { client, backend } of sessions) {
        backend.write(fromBackend.close(1001));
        await client.frame();
        await client.send(fromClient.close(1001));
        await client.fin();
        await backend.frame();
        backend.fin();
      }
    },
    ...{ by: "backend", code: 1001 },
  },
  {
    name: "backend FIN",
    end: ({ sessions }) => sessions.forEach(({ backend }) => backend.fin()),
    ...{ by: "backend", code: 1006 },
  },
  {
    name: "backend RST",
    end: ({ sessions }) => sessions.forEach(({ backend }) => backend.reset()),
    ...{ by: "backend", code: 1006 },
  },
  {
    name: "a frame above the limit",
    async end({ sessions }) {
      for (const { client } of sessions) await client.send(fromClient.text("x".repeat(2000)));
    },
    ...{ by: "proxy:limit", code: 1009 },
  },
  { name: "idle", end: () => {}, by: "proxy:idle", code: 1001 },
];

Deno.test("soak: nothing is left of any session, however it ended", async (t) => {
  const server = await RawBackend.listen();
  await using _server = { [Symbol.asyncDispose]: () => server.close() };
  await using proxy = await startProxyProcess({
    backendPort: server.port,
    flags: [
      ...["--read-timeout", "4s", "--idle-timeout", "1500ms", "--keepalive", "300ms"],
      ...["--max-frame", "1KiB", "--drain", "2s"],
    ],
  });
  const descriptors = () => [...Deno.readDirSync(`/proc/${proxy.pid}/fd`)].length;
  const open = async (): Promise<Open & AsyncDisposable> => {
    const relay = startUdpRelay(proxy.port);
    const quic = await RawClient.connect({ port: relay.port, caCerts: proxy.caCerts });
    const sessions = [];
    for (let i = 0; i < SESSIONS; i++) {
      const opening = quic.connectWs();
      const backend = await server.upgrade();
      const client = await opening;
      assert.equal((await client.response()).status, 200);
      sessions.push({ client, backend });
    }
    assert.equal(proxy.socketsTo(server.port), SESSIONS);
    return {
      ...{ quic, sessions },
      cut: () => relay.cut(),
      async [Symbol.asyncDispose]() {
        quic.close();
        await quic.quic.closed;
        await relay[Symbol.asyncDispose]();
      },
    };
  };
  const nothingIsLeft = async () => {
    await until("no session", async () => {
      return await proxy.metric("h3ws_proxy_active_sessions") === 0;
    });
    await until("no backend socket", () => proxy.socketsTo(server.port) === 0);
  };

  let before = 0;
  for (const { name, end, by, code } of ENDS) {
    const good = await t.step(name, async () => {
      await using opened = await open();
      await end(opened);
      for (let i = 0; i < SESSIONS; i++) {
        const line = await proxy.logged("ws.close");
        assert.deepEqual([line.by, line.code], [by, code]);
      }
      // While the client is still connected: what ends only with it was left behind.
      await nothingIsLeft();
      if (before === 0) before = descriptors();
      await until("no descriptor of it", () => descriptors() <= before);
    });
    if (!good) return;
  }
  await t.step("drain", async () => {
    await using _ = await open();
    proxy.kill("SIGTERM");
    for (let i = 0; i < SESSIONS; i++) {
      const line = await proxy.logged("ws.close");
      assert.deepEqual([line.by, line.code], ["proxy:drain", 1001]);
    }
    assert.equal((await proxy.status).code, 0);
  });
});
