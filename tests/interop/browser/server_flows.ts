// What a page must be able to do with the handlers of `serve`, whatever way it came.
import assert from "node:assert/strict";
import type { Socket } from "../../../src/endpoint/socket.ts";
import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import type { WebSocketRequest } from "../../../src/server/request.ts";
import { echo } from "../../server/support.ts";
import { until } from "../../support/until.ts";
import { within } from "../../support/within.ts";
import type { Way } from "./browser.ts";
import { CONNECTIONS, LABELS, random, text } from "./flows.ts";
import type { PageSocket } from "./page_socket.ts";
import type { ServerPage } from "./server_page.ts";

const MIB = 1024 * 1024;
const SOCKETS = 30;

export interface ServerFlow {
  name: string;
  /** Answers at the flow's own path. */
  handler: WebSocketHandler;
  run: (page: ServerPage, path: string) => Promise<void>;
}

/** The ALPN token of the page, as the browser tells it. */
const PAGES: Record<Way, string> = { h3: "h3", h2: "h2", h1s: "http/1.1", h1: "http/1.1" };

/** All of them, on one page in this order; the last ends the server. */
export function serverFlows(): ServerFlow[] {
  return [
    whatIsAsked(),
    { name: "text and binary of 1 MiB, by iteration", handler: echo, run: bigMessages },
    { name: "the same by readable and writable", handler: piped, run: bigMessages },
    subprotocols(),
    closedByPage(),
    closedByHandler(),
    manySockets(),
    { name: "an application beside a socket", handler: echo, run: besideSocket },
    leftPage(),
    // Behind those that open many: Chromium makes a page wait whose sockets have failed.
    { name: "what was not accepted: error, close 1006", handler: refuses, run: refused },
    shutDown(),
  ];
}

/** A handler that keeps each request, or what else it says. */
function kept<T>(what: (request: WebSocketRequest) => Promise<T> | T) {
  const all: T[] = [];
  const next = async (): Promise<T> => {
    await until("the handler", () => all.length > 0);
    return all.shift()!;
  };
  const handler: WebSocketHandler = async (request) => {
    const one = await what(request);
    all.push(one);
    if (isSocket(one)) await one.closed;
  };
  return { handler, next };
}

function isSocket(one: unknown): one is Socket {
  return typeof one === "object" && one !== null && "closed" in one;
}

function whatIsAsked(): ServerFlow {
  const { handler, next } = kept(async (request) => {
    await request.accept();
    return request;
  });
  return {
    name: "the page and what its socket asks, by this version and no other",
    handler,
    async run({ browser, way, origin, open }, path) {
      assert.equal(await browser.protocol(), PAGES[way]);
      assert.equal(await browser.page.title(), "of serve");
      const socket = await open(`${path}?room=7`);
      const { httpVersion, scheme, headers, queryString, type } = await next();
      assert.deepEqual({ httpVersion, scheme, queryString, type }, {
        httpVersion: LABELS[way],
        scheme: way === "h1" ? "ws" : "wss",
        queryString: "room=7",
        type: "websocket",
      });
      assert.equal(headers.get("origin"), origin);
      assert.equal(headers.get("host"), new URL(origin).host);
      assert.match(headers.get("user-agent") ?? "", /Chrome|Firefox/);
      await closes(socket, { code: 1000, reason: "" });
    },
  };
}

/** Takes the page's close event, which is clean. */
async function closes(socket: PageSocket, want: { code: number; reason: string }): Promise<void> {
  const { code, reason, wasClean } = await socket.expect("close");
  assert.deepEqual({ code, reason, wasClean }, { ...want, wasClean: true });
}

const piped: WebSocketHandler = async (request) => {
  const { readable, writable } = await request.accept();
  await readable.pipeTo(writable);
};

async function bigMessages({ open }: ServerPage, path: string): Promise<void> {
  const socket = await open(path);
  for (const [seed, length] of [1, 125, 126, 65_536, MIB].entries()) {
    const message = text(length, seed);
    await socket.send(message);
    assert.ok((await socket.expect("text")).data === message, `text of ${length} bytes`);
    const bytes = random(length);
    await socket.send(bytes);
    assert.deepEqual(await socket.binary(), bytes);
  }
  await socket.close(4002, "enough");
  await closes(socket, { code: 4002, reason: "" });
}

function subprotocols(): ServerFlow {
  const { handler, next } = kept(async (request) => {
    await request.accept({ protocol: request.subprotocols.find((name) => name === "chat.v1") });
    return request.subprotocols;
  });
  return {
    name: "the handler's choice of a subprotocol, and none",
    handler,
    async run({ browser }, path) {
      const chosen = await browser.open(path, ["chat.v2", "chat.v1"]);
      assert.equal((await chosen.expect("open")).protocol, "chat.v1");
      assert.deepEqual(await next(), ["chat.v2", "chat.v1"]);
      const none = await browser.open(path);
      const { protocol, extensions } = await none.expect("open");
      assert.deepEqual([protocol, extensions], ["", ""]);
      assert.deepEqual(await next(), []);
    },
  };
}

function closedByPage(): ServerFlow {
  const { handler, next } = kept((request) => request.accept());
  return {
    name: "the page closes, with a code and without one",
    handler,
    async run({ open }, path) {
      for (const [code, reason] of [[4001, "grüße"], [1000, ""], []] as [number?, string?][]) {
        const socket = await open(path);
        const { closed } = await next();
        await socket.close(code, reason);
        const end = await within("the end at the handler", closed);
        const want = { code: code ?? 1005, reason: reason ?? "", wasClean: true, by: "peer" };
        assert.deepEqual(end, want);
        assert.equal((await socket.expect("close")).code, want.code);
      }
    },
  };
}

function closedByHandler(): ServerFlow {
  const handler: WebSocketHandler = async (request) => {
    const socket = await request.accept();
    if (request.queryString === "throws") throw new Error("of the handler");
    if (request.queryString === "returns") return;
    const end = await socket.close(4003, "grüße");
    assert.equal(end.by, "us");
  };
  return {
    name: "the handler closes with 4003, returns: 1000, throws: 1011",
    handler,
    async run({ open, errors }, path) {
      const before = errors().length;
      await closes(await open(path), { code: 4003, reason: "grüße" });
      await closes(await open(`${path}?returns`), { code: 1000, reason: "" });
      assert.equal(errors().length, before);
      await closes(await open(`${path}?throws`), { code: 1011, reason: "internal error" });
      const [line] = errors().slice(before);
      assert.equal(line.event, "socket.handler_failed");
      assert.match(String(line.error), /^Error: of the handler\n +at /);
    },
  };
}

const refuses: WebSocketHandler = async (request) => {
  if (request.queryString === "rejects") await request.reject(403, {}, "not you\n");
  if (request.queryString === "throws") throw new Error("before it accepts");
};

async function refused({ browser, errors }: ServerPage, path: string): Promise<void> {
  const before = errors().length;
  for (const how of ["rejects", "throws", "returns"]) {
    const socket = await browser.open(`${path}?${how}`);
    await socket.expect("error");
    const { code, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, wasClean }, { code: 1006, wasClean: false }, how);
  }
  const faults = errors().slice(before).map(({ event }) => event);
  assert.deepEqual(faults, ["socket.handler_failed", "socket.not_answered"]);
}

function manySockets(): ServerFlow {
  const handler: WebSocketHandler = async (request) => {
    const socket = await request.accept();
    for await (const message of socket) await socket.send(`${request.queryString}: ${message}`);
  };
  return {
    name: `${SOCKETS} sockets at once, each with a handler of its own`,
    handler,
    async run({ open, way, server }, path) {
      const before = server.connections;
      const ids = Array.from({ length: SOCKETS }, (_, i) => i);
      const sockets = await Promise.all(ids.map((id) => open(`${path}?${id}`)));
      const { most } = CONNECTIONS[way];
      const own = way === "h1" || way === "h1s" ? SOCKETS : 0;
      const { connections } = server;
      assert.ok(connections >= own && connections <= most, `${connections}, ${before} before`);
      for (const round of ["one", "two", "three"]) {
        await Promise.all(sockets.map((socket) => socket.send(round)));
        const answers = await Promise.all(sockets.map((socket) => socket.expect("text")));
        assert.deepEqual(answers.map(({ data }) => data), ids.map((id) => `${id}: ${round}`));
      }
      await Promise.all(sockets.map((socket) => socket.close(1000, "")));
      for (const socket of sockets) await closes(socket, { code: 1000, reason: "" });
    },
  };
}

async function besideSocket(t: ServerPage, path: string): Promise<void> {
  const { browser, server, way } = t;
  const socket = await t.open(path);
  const before = server.connections;
  const ask = (path: string) =>
    browser.page.evaluate(async (path) => {
      const response = await fetch(path, { method: "POST", body: "from the page" });
      return { status: response.status, text: await response.text() };
    }, path);
  const { status, text } = await ask("/api");
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text), { httpVersion: LABELS[way], body: "from the page" });
  assert.equal((await ask("/nowhere")).status, 404);
  if (way === "h2" || way === "h3") assert.equal(server.connections, before);
  await socket.send("still here");
  assert.equal((await socket.expect("text")).data, "still here");
  await socket.close(1000, "");
  await closes(socket, { code: 1000, reason: "" });
}

function leftPage(): ServerFlow {
  const { handler, next } = kept((request) => request.accept());
  return {
    name: "a page that is left ends its sockets at once",
    handler,
    async run({ browser, open }, path) {
      await open(path);
      const { closed } = await next();
      await browser.page.reload();
      const { code, by } = await within("the end at the handler", closed);
      // RFC 8441 §5: over HTTP/2 Chromium resets the stream, as if TCP were, without a Close.
      assert.ok(code === 1001 && by === "peer" || code === 1006 && by === "lost", `${code} ${by}`);
    },
  };
}

function shutDown(): ServerFlow {
  return {
    name: "shutdown: close 1001, and no new socket",
    handler: echo,
    async run({ open, browser, server }, path) {
      const sockets = [await open(path), await open(path)];
      const down = server.shutdown();
      const want = { code: 1001, reason: "server is shutting down" };
      for (const socket of sockets) await closes(socket, want);
      await within("the end of the server", down);
      const late = await browser.open(path);
      await late.expect("error");
      assert.equal((await late.expect("close")).code, 1006);
    },
  };
}
