import assert from "node:assert/strict";
import { delayBefore, exitCodeOf, isWorthAnother } from "../../src/cli/connect_end.ts";
import {
  type ConnectEvent,
  format,
  type OpenEvent,
  type Style,
} from "../../src/cli/connect_format.ts";

const PIPE: Style = {
  ...{ json: false, timestamps: false, binary: false, base64: false, showPingPong: false },
  ...{ printRtts: false, isScreen: false, color: false },
};
const NOW = new Date("2026-11-21T20:44:19.123Z");
const bytes = (text: string) => new TextEncoder().encode(text);

const OPEN: OpenEvent = {
  ...{ url: "wss://a.example/", http: "3", tls: null, proxy: null },
  ...{ protocol: "chat", extensions: "", tookMs: 12.3456 },
};
const text: ConnectEvent = { type: "message", data: "hi" };
const binary: ConnectEvent = { type: "message", data: new Uint8Array([0, 255, 10]) };
const ping: ConnectEvent = { type: "ping", payload: bytes("x") };
const pong: ConnectEvent = { type: "pong", payload: new Uint8Array(0) };
const measured: ConnectEvent = { type: "pong", payload: bytes("1"), rttMs: 1.2345 };
const close = (code: number, reason: string, by: "us" | "peer" | "lost"): ConnectEvent => ({
  type: "close",
  end: { code, reason, by, wasClean: by !== "lost" },
});

type Row = [event: ConnectEvent, style: Partial<Style>, want: ReturnType<typeof format>];
const out = (data: string | Uint8Array) => ({ to: "out" as const, data });
const err = (data: string) => ({ to: "err" as const, data });
const screen = { isScreen: true };

const ROWS: Row[] = [
  [text, {}, out("hi\n")],
  [text, { timestamps: true }, out("2026-11-21T20:44:19.123Z hi\n")],
  [text, { base64: true }, out("hi\n")],
  [text, { binary: true }, out("hi")],
  [text, screen, out("< hi\n")],
  [text, { ...screen, color: true }, out("\x1b[36m<\x1b[0m hi\n")],
  [text, { ...screen, timestamps: true }, out("2026-11-21T20:44:19.123Z < hi\n")],
  [{ ...text, from: "#2" }, {}, out("#2 hi\n")],
  [{ type: "message", data: "\x1b[2Ja\tb\r" }, screen, out("< \\u001b[2Ja\tb\\u000d\n")],
  [{ type: "message", data: "a\nclosed: 1000\n< b" }, screen, out("< a\n  closed: 1000\n  < b\n")],
  [{ type: "message", data: "a\nb", from: "#2" }, screen, out("#2 < a\n     b\n")],
  [{ type: "message", data: "a\nb" }, {}, out("a\nb\n")],
  [{ type: "note", text: "a\nb\x1b" }, {}, err("a\\u000ab\\u001b\n")],
  [{ type: "message", data: "\x1b[2J" }, {}, out("\x1b[2J\n")],
  [binary, { binary: true }, out(new Uint8Array([0, 255, 10]))],
  [binary, { base64: true }, out("AP8K\n")],
  [binary, { ...screen, base64: true }, out("< AP8K\n")],
  [binary, screen, out("< 3 bytes: 00 ff 0a\n")],
  [{ type: "message", data: new Uint8Array(0) }, screen, out("< 0 bytes\n")],
  [ping, {}, null],
  [ping, { printRtts: true }, null],
  [ping, { showPingPong: true }, err('ping "x"\n')],
  [pong, { showPingPong: true }, err("pong\n")],
  [pong, { printRtts: true }, null],
  [measured, {}, null],
  [measured, { printRtts: true }, err("pong after 1.23 ms\n")],
  [measured, { showPingPong: true }, err('pong "1" after 1.23 ms\n')],
  [
    { type: "open", open: OPEN },
    {},
    err("connected by HTTP/3 (QUIC v1, TLS 1.3), subprotocol chat, 12 ms\n"),
  ],
  [
    {
      type: "open",
      open: {
        ...{ ...OPEN, http: "1.1", protocol: "", proxy: "p:81", extensions: "permessage-deflate" },
        tls: { version: "TLS 1.2", cipher: "TLS_X" },
      },
    },
    {},
    err("connected by HTTP/1.1 (TLS 1.2, TLS_X, by the proxy p:81), permessage-deflate, 12 ms\n"),
  ],
  [
    { type: "open", open: { ...OPEN, http: "2", protocol: "", tookMs: 0.5 } },
    {},
    err("connected by HTTP/2 (no TLS), 0.50 ms\n"),
  ],
  [close(1000, "", "us"), {}, err("closed: 1000\n")],
  [
    close(4001, "a\nclosed: 1000", "peer"),
    {},
    err(
      "closed by the other side: 4001 a\\u000aclosed: 1000\n",
    ),
  ],
  [close(4001, "b\x1bye", "peer"), {}, err("closed by the other side: 4001 b\\u001bye\n")],
  [close(1006, "reset", "lost"), {}, err("lost: reset (1006)\n")],
  [close(1006, "no Pong within 1 s", "us"), {}, err("lost: no Pong within 1 s (1006)\n")],
  [
    { type: "enter", from: "#1", enter: { client: "127.0.0.1:5", http: "1.1", protocol: "chat" } },
    {},
    err("#1 127.0.0.1:5 connected by HTTP/1.1, subprotocol chat\n"),
  ],
  [{ type: "note", text: "so" }, { timestamps: true }, err("so\n")],
  [{ type: "note", text: "so" }, { color: true }, err("\x1b[2mso\x1b[0m\n")],
];

Deno.test("connect: how each event is shown", () => {
  for (const [event, style, want] of ROWS) {
    assert.deepEqual(format(event, { ...PIPE, ...style }, NOW), want, JSON.stringify(event));
  }
  // Bytes that nobody asked for as such are a line all the same.
  const { data } = format(binary, { ...PIPE, timestamps: true }, NOW)!;
  assert.deepEqual([...data as Uint8Array], [
    ...bytes("2026-11-21T20:44:19.123Z "),
    0,
    255,
    10,
    10,
  ]);
});

const JSON_ROWS: [event: ConnectEvent, want: unknown][] = [
  [{ type: "open", open: OPEN }, {
    ...{ type: "open", url: "wss://a.example/", http: "3", tls: "TLS 1.3", cipher: null },
    ...{ proxy: null, protocol: "chat", extensions: "", ms: 12.346 },
  }],
  [text, { type: "message", data: "hi" }],
  [{ ...text, from: "#1" }, { type: "message", from: "#1", data: "hi" }],
  [binary, { type: "message", base64: "AP8K" }],
  [ping, { type: "ping", base64: "eA==" }],
  [pong, { type: "pong", base64: "" }],
  [measured, { type: "pong", base64: "MQ==", ms: 1.235 }],
  [close(1000, "bye", "peer"), {
    ...{ type: "close", code: 1000, reason: "bye", by: "peer", clean: true },
  }],
];

Deno.test("connect --json: each event is one object on one line of stdout", () => {
  for (const [event, want] of JSON_ROWS) {
    const shown = format(event, { ...PIPE, json: true }, NOW)!;
    const line = shown.data as string;
    assert.equal(shown.to, "out");
    assert.ok(line.indexOf("\n") === line.length - 1);
    assert.deepEqual(JSON.parse(line), { time: NOW.toISOString(), ...want as object });
  }
});

Deno.test("connect --json: nothing that moves a cursor or turns text round is in it as it is", () => {
  const data = "\x9b31m \u200f\u202e\u{e0041}";
  const line = format({ type: "message", data }, { ...PIPE, json: true }, NOW)!.data as string;
  assert.match(line, /^[ -~]+\n$/);
  assert.equal(JSON.parse(line).data, data);
});

const EXITS: [code: number, exit: number][] = [
  ...[[1000, 0], [1001, 0], [1005, 0], [1002, 12], [1003, 13], [1006, 16], [1007, 17]],
  ...[[1008, 18], [1009, 19], [1011, 21], [1012, 22], [1015, 25], [1016, 29], [2999, 29]],
  ...[[3000, 30], [3999, 30], [4000, 40], [4999, 40]],
] as [number, number][];

Deno.test("connect: the exit code by the close code", () => {
  for (const [code, exit] of EXITS) assert.equal(exitCodeOf(code), exit, `${code}`);
});

Deno.test("connect --reconnect: what is worth another try, and when", () => {
  const again = [1001, 1005, 1006, 1011, 1012, 1013, 1014];
  const never = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4001];
  for (const code of again) assert.ok(isWorthAnother({ code }), `${code}`);
  for (const code of never) assert.ok(!isWorthAnother({ code }), `${code}`);
  const longest = [0, 1, 2, 3, 5, 6, 7, 100].map((attempt) => delayBefore(attempt, () => 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(delayBefore(3, () => 0.25), 1000);
  assert.equal(delayBefore(2000, () => 0), 0);
});
