// What a stream of HTTP/2 may have come to when its client resets it (RFC 9113 §5.1, §6.4).
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { openH2 } from "../support/door_clients.ts";
import type { Doors } from "../support/doors.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import { h2Data, h2Get, h2Settings, h2Ws, type RawH2, SettingId } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const NO_WINDOW = h2Settings([[SettingId.INITIAL_WINDOW_SIZE, 0]]);
/** The pseudo-header fields of a POST. */
export const post = h2Get("/x").map(([name, value]) =>
  [name, name === ":method" ? "POST" : value] as const
);

/** What a stream has come to before it is reset; gives its identifier, and what else must end. */
export interface StreamState {
  name: string;
  /** How the backend sees it: its connection ends, or nothing was there. */
  backend: boolean;
  reach(client: RawH2, t: Doors): Promise<number>;
}

export const STREAM_STATES: StreamState[] = [
  {
    name: "its request is with the backend",
    backend: true,
    async reach(client, t) {
      const id = client.request(h2Get("/x"));
      await (await t.backend.accept()).request();
      return id;
    },
  },
  {
    name: "half of its content has come",
    backend: true,
    async reach(client, t) {
      const id = client.request(post, (id) => [h2Data(id, "abc")]);
      const conn = await t.backend.accept();
      await conn.request();
      await conn.inbox.takeUpTo("abc\r\n");
      return id;
    },
  },
  {
    name: "half of its answer has come",
    backend: true,
    async reach(client, t) {
      const id = client.request(h2Get("/x"));
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(`${OK}Content-Length: 9\r\n\r\nabc`);
      await until("content", () => client.stream(id).bytes === 3);
      return id;
    },
  },
  {
    name: "both its content and its answer are half way",
    backend: true,
    async reach(client, t) {
      const id = client.request(post, (id) => [h2Data(id, "abc")]);
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(`${OK}Content-Length: 9\r\n\r\nabc`);
      await until("content", () => client.stream(id).bytes === 3);
      return id;
    },
  },
  {
    name: "the backend has its wish for a tunnel",
    backend: true,
    async reach(client, t) {
      const id = client.request(h2Ws(), () => []);
      await (await t.backend.accept()).request();
      return id;
    },
  },
  {
    name: "its tunnel is open",
    backend: true,
    async reach(client, t) {
      const opening = openH2(client);
      await t.backend.upgrade();
      const { id } = await opening;
      return id;
    },
  },
  {
    name: "its tunnel is half-closed by the client",
    backend: true,
    async reach(client, t) {
      const opening = openH2(client);
      const conn = await t.backend.upgrade();
      const tunnel = await opening;
      tunnel.send(fromClient.text("hi"));
      tunnel.fin();
      await conn.frame();
      await conn.inbox.rest();
      return tunnel.id;
    },
  },
  {
    name: "its tunnel is in the middle of a frame",
    backend: true,
    async reach(client, t) {
      const opening = openH2(client);
      const conn = await t.backend.upgrade();
      const tunnel = await opening;
      tunnel.send(fromClient.text("hello").subarray(0, 8));
      await conn.inbox.take(8);
      return tunnel.id;
    },
  },
  {
    name: "the head of its answer has come, and no more",
    backend: true,
    async reach(client, t) {
      const id = client.request(h2Get("/x"));
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
      await client.head(id);
      return id;
    },
  },
  {
    name: "its answer waits for a window",
    backend: true,
    async reach(client, t) {
      client.write(NO_WINDOW);
      const id = client.request(h2Get("/x"));
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(`${OK}Content-Length: 100000\r\n\r\n${"x".repeat(50_000)}`);
      await client.head(id);
      await client.roundTrip();
      assert.equal(client.stream(id).bytes, 0);
      return id;
    },
  },
  {
    name: "it was answered while its content still comes",
    backend: true,
    async reach(client, t) {
      const id = client.request(post, (id) => [h2Data(id, "abc")]);
      const conn = await t.backend.accept();
      await conn.request();
      conn.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      await until("its answer", () => client.stream(id).body === "ok");
      return id;
    },
  },
  {
    name: "its content waits for a 100 (Continue)",
    backend: true,
    async reach(client, t) {
      const fields: Field[] = [["expect", "100-continue"], ["content-length", "3"]];
      const id = client.request([...post, ...fields], () => []);
      await (await t.backend.accept()).request();
      return id;
    },
  },
  {
    name: "an interim answer has come",
    backend: true,
    async reach(client, t) {
      const id = client.request(h2Get("/x"));
      const conn = await t.backend.accept();
      await conn.request();
      conn.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
      await until("103", () => client.stream(id).sections.length === 1);
      return id;
    },
  },
  {
    name: "half of a refusal of its tunnel has come",
    backend: true,
    async reach(client, t) {
      const id = client.request(h2Ws(), () => []);
      const conn = await t.backend.accept();
      await conn.request();
      conn.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nabc");
      await until("content", () => client.stream(id).bytes === 3);
      return id;
    },
  },
  {
    name: "its tunnel waits for a window",
    backend: true,
    async reach(client, t) {
      client.write(NO_WINDOW);
      const opening = openH2(client);
      const conn = await t.backend.upgrade([], fromBackend.text("x".repeat(50_000)));
      const { id } = await opening;
      await client.roundTrip();
      assert.deepEqual([conn.socket.writableLength, client.stream(id).bytes], [0, 0]);
      return id;
    },
  },
  {
    name: "its tunnel is half-closed by the backend",
    backend: true,
    async reach(client, t) {
      const foo = h2Ws().map(([name, value]) =>
        [name, name === ":protocol" ? "foo" : value] as const
      );
      const id = client.request(foo, () => []);
      const conn = await t.backend.accept();
      await conn.request();
      conn.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n");
      conn.fin();
      await until("its FIN", () => client.stream(id).ended);
      return id;
    },
  },
  {
    name: "both have said Close",
    backend: true,
    async reach(client, t) {
      const opening = openH2(client);
      const conn = await t.backend.upgrade();
      const tunnel = await opening;
      tunnel.send(fromClient.close(1000));
      await conn.frame();
      conn.write(fromBackend.close(1000));
      await tunnel.inbox.frame();
      return tunnel.id;
    },
  },
  {
    name: "the proxy has reset it",
    backend: false,
    async reach(client) {
      const id = client.request([[":protocol", "websocket"], ...h2Get("/ws")]);
      await client.over(id);
      return id;
    },
  },
  {
    name: "it was answered",
    backend: false,
    async reach(client) {
      const id = client.request(h2Get("/healthz"));
      await client.over(id);
      return id;
    },
  },
];
