// The end of a real stream or connection that nobody reads, as far as each version shows it.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { H2Client } from "../../src/client/h2_client.ts";
import { H3Client } from "../../src/client/h3_client.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { withServer } from "../server/support.ts";
import { FakeTime } from "./fake_time.ts";

const KEEPALIVE = { pingIntervalMs: 100, pongTimeoutMs: 100 };

/** Nothing tells that a message has come that nobody takes. */
const ON_ITS_WAY_MS = 200;

interface Ends {
  /** That of who has sent the message. */
  readonly peer: Socket;
  /** Ends what carries it, at the client. */
  readonly disconnect: () => void;
}

interface Row {
  name: string;
  httpVersion: NonNullable<ConnectOptions["httpVersion"]>;
  secure?: boolean;
  /** Whether Pings are needed to see it. */
  pings?: boolean;
  end: (ends: Ends) => void;
  /** Whose end it is that nobody reads. */
  unread: "client" | "server";
}

const ROWS: Row[] = [];
for (const unread of ["client", "server"] as const) {
  const abort = ({ peer }: Ends) => peer.abort();
  const disconnect = ({ disconnect }: Ends) => disconnect();
  ROWS.push(
    { name: "HTTP/2, its stream is reset", httpVersion: "2", unread, end: abort },
    { name: "HTTP/2, its connection ends", httpVersion: "2", unread, end: disconnect },
    { name: "HTTP/3, its connection ends", httpVersion: "3", unread, end: disconnect },
    { name: "HTTP/3, its stream is given up", httpVersion: "3", pings: true, unread, end: abort },
    { name: "HTTP/1.1 over TLS", httpVersion: "1.1", pings: true, unread, end: abort },
    { name: "HTTP/1.1", httpVersion: "1.1", secure: false, pings: true, unread, end: abort },
  );
}

for (const { name, httpVersion, secure = true, pings = false, unread, end } of ROWS) {
  const by = pings ? " seen by Pings" : " seen at once";
  Deno.test(`unread, ${name}, at the ${unread}:${by}; closed settles, the message can be had`, async () => {
    const accepted = Promise.withResolvers<Socket>();
    const options = pings ? KEEPALIVE : {};
    await withServer(options, async (request) => {
      const socket = await request.accept();
      accepted.resolve(socket);
      await socket.closed;
    }, async ({ port, plainPort, caPem }) => {
      using connections = new Connections();
      const caCerts = [caPem];
      const at = { hostname: "localhost", port, caCerts };
      const connection = httpVersion === "2"
        ? await H2Client.connect(at)
        : httpVersion === "3"
        ? await H3Client.connect(at)
        : undefined;
      const url = secure ? `wss://localhost:${port}/` : `ws://127.0.0.1:${plainPort}/`;
      const keepalive = pings ? KEEPALIVE : undefined;
      const client = await connectWebSocket(url, {
        ...{ httpVersion, connection, connections, caCerts, keepalive },
      });
      const server = await accepted.promise;
      const [socket, peer] = unread === "client" ? [client, server] : [server, client];
      await peer.send("unread");
      await new Promise((resolve) => setTimeout(resolve, ON_ITS_WAY_MS));
      const wait = globalThis.setTimeout;
      {
        using time = new FakeTime();
        let over = false;
        void socket.closed.then(() => over = true);
        end({ peer, disconnect: () => connection?.close() });
        for (let i = 0; !over && i < 300; i++) {
          await new Promise<void>((resolve) => wait(resolve, 10));
          await time.pass(1_000);
        }
        assert.ok(over, "closed has settled");
      }
      const { code, by } = await socket.closed;
      assert.deepEqual({ code, by }, { code: 1006, by: "lost" });
      assert.equal(await socket.receive(), "unread");
      assert.equal(await socket.receive(), null);
      peer.abort();
      connection?.close();
    });
  });
}
