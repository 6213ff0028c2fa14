// Clients that others wrote: fetch, node:http, and npm's ws.
import assert from "node:assert/strict";
import * as http from "node:http";
import { WebSocket } from "ws";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { getField } from "../../src/protocol/wire/field.ts";
import { within } from "../support/within.ts";
import { bytes, Door, echo, Parts, readAll } from "./h1_support.ts";

Deno.test("fetch: 50 requests, with and without content, over connections that stay", async () => {
  let length: number | null = null;
  await using door = new Door((offer) => {
    length = offer.content?.length ?? null;
    return echo(offer);
  });
  const url = `http://127.0.0.1:${door.port}`;
  for (let i = 0; i < 25; i++) {
    const got = await fetch(`${url}/get?${i}`);
    assert.equal(await got.text(), `GET 127.0.0.1:${door.port} /get?${i} []`);
    const posted = await fetch(`${url}/post`, { method: "POST", body: `n${i}` });
    assert.equal(await posted.text(), `POST 127.0.0.1:${door.port} /post [n${i}]`);
    assert.equal(length, `n${i}`.length);
  }
  assert.ok(door.connections.size + door.ends.length < 5, "a connection for each request");
});

Deno.test("fetch: a streamed upload and a streamed answer of 16 MiB", async () => {
  const size = 16 * 2 ** 20;
  await using door = new Door((offer) => {
    const content = offer.content!;
    return offer.respond(200, [], {
      length: null,
      trailers: [],
      read: () => content.read(),
      cancel: () => content.cancel(),
    });
  });
  let left = size;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (left === 0) return controller.close();
      controller.enqueue(new Uint8Array(2 ** 16).fill(left / 2 ** 16));
      left -= 2 ** 16;
    },
  });
  const answer = await fetch(`http://127.0.0.1:${door.port}/`, { method: "POST", body });
  const got = new Uint8Array(await answer.arrayBuffer());
  assert.equal(got.length, size);
  for (let at = 0; at < size; at += 2 ** 16) {
    assert.equal(got[at], ((size - at) / 2 ** 16) & 255);
  }
});

Deno.test("fetch: an answer that breaks off is an error", async () => {
  await using door = new Door((offer) =>
    offer.respond(200, [], new Parts(["ab", new DOMException("bug", "AbortError")])).catch(() => {})
  );
  const answer = await fetch(`http://127.0.0.1:${door.port}/`);
  await assert.rejects(answer.text());
});

Deno.test("node:http: Expect, interim answers, trailers", async () => {
  await using door = new Door(async (offer) => {
    await offer.inform(103, [["link", "</a>"]]);
    const text = await readAll(offer.content);
    await offer.respond(200, [], new Parts([text], null, [["x-sum", "7"]]));
  });
  const request = http.request({
    port: door.port,
    host: "127.0.0.1",
    method: "POST",
    headers: { expect: "100-continue", te: "trailers", connection: "close, te" },
  });
  const informed: number[] = [];
  request.on("information", (info: { statusCode: number }) => informed.push(info.statusCode));
  request.on("continue", () => request.end("hello"));
  request.flushHeaders();
  const text = await within(
    "the answer",
    new Promise<string>((resolve, reject) => {
      request.on("error", reject);
      request.on("response", (response: http.IncomingMessage) => {
        let got = "";
        response.on("data", (chunk: Uint8Array) => got += new TextDecoder().decode(chunk));
        response.on("end", () => resolve(`${got} ${JSON.stringify(response.trailers)}`));
      });
    }),
  );
  assert.equal(text, 'hello {"x-sum":"7"}');
  assert.deepEqual(informed, [103, 100]);
});

Deno.test("node:http: an agent's connection is used again", async () => {
  await using door = new Door(echo);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 20; i++) {
    const text = await new Promise<string>((resolve, reject) => {
      http.get({ port: door.port, host: "127.0.0.1", path: `/${i}`, agent }, (response) => {
        let got = "";
        response.on("data", (chunk: Uint8Array) => got += new TextDecoder().decode(chunk));
        response.on("end", () => resolve(got));
      }).on("error", reject);
    });
    assert.match(text, new RegExp(` /${i} `));
  }
  assert.equal(door.connections.size, 1);
  agent.destroy();
});

Deno.test("ws: a WebSocket through the door", async () => {
  await using door = new Door(async (offer) => {
    const { protocol, fields } = offer.request;
    assert.equal(protocol, "websocket");
    const key = getField(fields, "sec-websocket-key")!;
    const tunnel = await offer.accept([["sec-websocket-accept", acceptFor(key, sha1)]]);
    // One text frame, and then a Close.
    await tunnel.write(Uint8Array.of(0x81, 2, ...bytes("hi")));
    await tunnel.read();
    await tunnel.write(Uint8Array.of(0x88, 2, 0x03, 0xe8));
    await tunnel.closeWrite();
    while (await tunnel.read() !== null);
  });
  const socket = new WebSocket(`ws://127.0.0.1:${door.port}/chat`);
  const said = await within(
    "a message",
    new Promise<string>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data) => resolve(String(data)));
    }),
  );
  assert.equal(said, "hi");
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  socket.close(1000);
  assert.equal(await within("its close", closed), 1000);
});
