import assert from "node:assert/strict";
import { TunnelCode, TunnelError } from "../../../src/protocol/tunnel/code.ts";
import { encodeMessage, maxMessageChars, parseMessage } from "../../../src/protocol/tunnel/json.ts";
import { type JsonMessage, MessageError } from "../../../src/protocol/tunnel/message.ts";

/** Messages as the document of the protocol has them. */
const MESSAGES: { text: string; want: JsonMessage }[] = [
  {
    text: '{"type":"auth","data":{"username":"u","password":"p","client_id":"c"}}',
    want: { type: "auth", username: "u", password: "p", clientId: "c" },
  },
  {
    text: '{"type":"auth_response","data":{"success":true,"message":"Authentication successful"}}',
    want: { type: "auth_response", success: true, message: "Authentication successful" },
  },
  {
    text: '{"type":"connect","data":{"connection_id":"1","target_host":"target.example.com",' +
      '"target_port":80,"protocol":"tcp"}}',
    want: {
      type: "connect",
      connectionId: "1",
      host: "target.example.com",
      port: 80,
      protocol: "tcp",
    },
  },
  {
    text: '{"type":"connect","data":{"connection_id":"1","target_host":"2001:db8::1",' +
      '"target_port":53,"protocol":"udp"}}',
    want: { type: "connect", connectionId: "1", host: "2001:db8::1", port: 53, protocol: "udp" },
  },
  {
    text: '{"type":"connect_response","data":{"connection_id":"1","success":false,"message":"no"}}',
    want: { type: "connect_response", connectionId: "1", success: false, message: "no" },
  },
  {
    text: '{"type":"data","data":{"connection_id":"a\\"b","payload":"AAH/"}}',
    want: { type: "data", connectionId: 'a"b', payload: Uint8Array.of(0, 1, 255) },
  },
  {
    text: '{"type":"data","data":{"connection_id":"1","payload":""}}',
    want: { type: "data", connectionId: "1", payload: new Uint8Array() },
  },
  {
    text: '{"type":"close","data":{"connection_id":"1","reason":"done"}}',
    want: { type: "close", connectionId: "1", reason: "done" },
  },
  {
    text: '{"type":"ping","data":{"timestamp":1640995200}}',
    want: { type: "ping", timestamp: 1640995200 },
  },
  {
    text: '{"type":"pong","data":{"timestamp":1640995200.5}}',
    want: { type: "pong", timestamp: 1640995200.5 },
  },
  {
    text: '{"type":"error","data":{"code":"FORBIDDEN_HOST","message":"m","connection_id":"1"}}',
    want: { type: "error", code: TunnelCode.FORBIDDEN_HOST, message: "m", connectionId: "1" },
  },
  {
    text: '{"type":"error","data":{"code":"RATE_LIMITED","message":"m"}}',
    want: { type: "error", code: TunnelCode.RATE_LIMITED, message: "m", connectionId: null },
  },
];

for (const { text, want } of MESSAGES) {
  Deno.test(`JSON tunnel: ${text.slice(0, 90)}`, () => {
    assert.deepEqual(parseMessage(text), want);
    assert.equal(encodeMessage(want), text);
  });
}

const LENIENT: { name: string; text: string; want: JsonMessage }[] = [
  {
    name: "keys that are not known, and white space",
    text: ' {"v": 1, "data": {"timestamp": 1, "x": [{}]},\n "type": "ping"} ',
    want: { type: "ping", timestamp: 1 },
  },
  {
    name: "no message",
    text: '{"type":"auth_response","data":{"success":true}}',
    want: { type: "auth_response", success: true, message: "" },
  },
  {
    name: "a reason that is null",
    text: '{"type":"close","data":{"connection_id":"1","reason":null}}',
    want: { type: "close", connectionId: "1", reason: "" },
  },
  {
    name: "a reason that is too long, which is cut off and not within a character",
    text: JSON.stringify({
      type: "close",
      data: { connection_id: "1", reason: "x".repeat(1023) + "\u{1f642}" },
    }),
    want: { type: "close", connectionId: "1", reason: "x".repeat(1023) + "\ufffd" },
  },
  {
    name: "an error of a connection without a name",
    text: '{"type":"error","data":{"code":"AUTH_FAILED","message":"","connection_id":""}}',
    want: { type: "error", code: TunnelCode.AUTH_FAILED, message: "", connectionId: null },
  },
  {
    name: "an error with a code that is not known",
    text: '{"type":"error","data":{"code":"TEAPOT","message":"m"}}',
    want: { type: "error", code: TunnelCode.INTERNAL_ERROR, message: "m", connectionId: null },
  },
  {
    name: "a host with capitals",
    text: '{"type":"connect","data":{"connection_id":"1","target_host":"A.B","target_port":65535,' +
      '"protocol":"tcp"}}',
    want: { type: "connect", connectionId: "1", host: "a.b", port: 65535, protocol: "tcp" },
  },
];

for (const { name, text, want } of LENIENT) {
  Deno.test(`JSON tunnel: takes ${name}`, () => assert.deepEqual(parseMessage(text), want));
}

function faultOf(text: string, maxPayloadBytes?: number): MessageError {
  try {
    parseMessage(text, { maxPayloadBytes });
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error("it is taken");
}

const TYPES = "auth, auth_response, connect, connect_response, data, close, ping, pong, error";

const NO_MESSAGES = [
  { text: "", want: "A message is not JSON" },
  { text: '{"type":"auth","data":{"password":"secret', want: "A message is not JSON" },
  { text: "null", want: "A message is not a JSON object" },
  { text: "[]", want: "A message is not a JSON object" },
  { text: '"ping"', want: "A message is not a JSON object" },
  { text: "{}", want: `type is missing, not ${TYPES}` },
  { text: '{"type":"hello"}', want: `type is "hello", not ${TYPES}` },
  { text: '{"type":"toString","data":{}}', want: `type is "toString", not ${TYPES}` },
  { text: '{"type":["ping"],"data":{}}', want: `type is a list, not ${TYPES}` },
  {
    text: `{"type":"${"x".repeat(50)}"}`,
    want: `type is "${"x".repeat(39)}..., not ${TYPES}`,
  },
  { text: '{"type":"ping"}', want: 'data of "ping" is missing, not an object' },
  { text: '{"type":"ping","data":[1]}', want: 'data of "ping" is a list, not an object' },
  { text: '{"type":"ping","data":null}', want: 'data of "ping" is null, not an object' },
];

for (const { text, want } of NO_MESSAGES) {
  Deno.test(`JSON tunnel: no message: ${text.slice(0, 60)}`, () => {
    const error = faultOf(text);
    assert.ok(error instanceof TunnelError);
    const { message, code, scope, connectionId } = error;
    assert.equal(message, want);
    // A type that nobody knows takes nothing from any connection.
    const wantScope = want.startsWith("type is") ? "stream" : "connection";
    assert.deepEqual([code, scope, connectionId], [2, wantScope, null]);
  });
}

const CONNECT = { connection_id: "1", target_host: "a", target_port: 80, protocol: "tcp" };
const HOST = "not a name or an IP address";
const PORT = "not 1 to 65535";
const ID = "not 1 to 128 printable characters";
const SECRET = "is not a text of up to 1024";
const PAYLOAD = 'payload of "data" is not base64 of up to 65536 bytes';
const AUTH = { username: "u", password: "p", client_id: "c" };

/** `id`: which connection the error is for. */
const WRONG: { type: string; data: Record<string, unknown>; want: string; id?: string }[] = [
  { type: "connect", data: { ...CONNECT, target_host: "" }, want: `is "", ${HOST}`, id: "1" },
  { type: "connect", data: { ...CONNECT, target_host: "a b" }, want: `is "a b", ${HOST}`, id: "1" },
  { type: "connect", data: { ...CONNECT, target_host: 1 }, want: "is 1, not a text", id: "1" },
  { type: "connect", data: { ...CONNECT, target_port: 0 }, want: `is 0, ${PORT}`, id: "1" },
  { type: "connect", data: { ...CONNECT, target_port: 65536 }, want: `is 65536, ${PORT}`, id: "1" },
  { type: "connect", data: { ...CONNECT, target_port: "80" }, want: `is "80", ${PORT}`, id: "1" },
  { type: "connect", data: { ...CONNECT, target_port: 1.5 }, want: `is 1.5, ${PORT}`, id: "1" },
  {
    type: "connect",
    data: { ...CONNECT, protocol: "sctp" },
    want: 'protocol of "connect" is "sctp", not "tcp" or "udp"',
    id: "1",
  },
  { type: "connect", data: { ...CONNECT, connection_id: "" }, want: `is "", ${ID}` },
  { type: "close", data: {}, want: 'connection_id of "close" is missing, not a text' },
  { type: "close", data: { connection_id: "a\n" }, want: `is "a\\n", ${ID}` },
  { type: "close", data: { connection_id: "x".repeat(129) }, want: ID },
  { type: "close", data: { connection_id: "1", reason: 1 }, want: "is 1, not a text", id: "1" },
  { type: "connect_response", data: { connection_id: "1" }, want: "is missing, not true", id: "1" },
  { type: "auth_response", data: { success: 1 }, want: "success" },
  { type: "ping", data: { timestamp: "1" }, want: 'is "1", not a number' },
  { type: "data", data: { connection_id: "1" }, want: "is missing, not a text", id: "1" },
  { type: "data", data: { connection_id: "1", payload: "AA" }, want: PAYLOAD, id: "1" },
  { type: "data", data: { connection_id: "1", payload: "AAA\n" }, want: PAYLOAD, id: "1" },
  { type: "error", data: { code: 1 }, want: "is 1, not a text" },
  { type: "auth", data: { ...AUTH, username: 1 }, want: `username of "auth" ${SECRET}` },
  { type: "auth", data: { ...AUTH, password: "x".repeat(1025) }, want: SECRET },
  { type: "auth", data: { ...AUTH, client_id: undefined }, want: "is missing, not a text" },
];

for (const { type, data, want, id = null } of WRONG) {
  Deno.test(`JSON tunnel: ${type}: ${want.slice(0, 60)}`, () => {
    const { message, code, scope, connectionId } = faultOf(JSON.stringify({ type, data }));
    assert.ok(message.includes(want), message);
    const isBlind = id === null && ["connect", "close", "data"].includes(type);
    const wantScope = isBlind ? "connection" : "stream";
    assert.deepEqual([code, scope, connectionId], [TunnelCode.INVALID_MESSAGE, wantScope, id]);
  });
}

Deno.test("JSON tunnel: no error shows a password or a payload", () => {
  const password = "x".repeat(1025);
  assert.ok(
    !faultOf(JSON.stringify({ type: "auth", data: { ...AUTH, password } })).message.includes("xx"),
  );
  assert.ok(!faultOf('{"type":"auth","data":{"password":"secret').message.includes("secret"));
  const data = { connection_id: "1", payload: "c2VjcmV0=" };
  assert.ok(!faultOf(JSON.stringify({ type: "data", data })).message.includes("c2V"));
});

function dataMessage(bytes: number): string {
  return encodeMessage({ type: "data", connectionId: "1", payload: new Uint8Array(bytes) });
}

Deno.test("JSON tunnel: a payload up to its limit", () => {
  for (const limit of [0, 1, 2, 3, 100]) {
    assert.equal(parseMessage(dataMessage(limit), { maxPayloadBytes: limit }).type, "data");
    assert.equal(faultOf(dataMessage(limit + 1), limit).connectionId, "1");
  }
});

Deno.test("JSON tunnel: a message up to its limit", () => {
  const limits = { maxPayloadBytes: 100 };
  const text = '{"type":"ping","data":{"timestamp":1}}'.padEnd(maxMessageChars(limits));
  assert.equal(parseMessage(text, limits).type, "ping");
  assert.throws(() => parseMessage(text + " ", limits), MessageError);
});

Deno.test("JSON tunnel: what is nested is named and not shown, however deep it is", () => {
  const deep = "[".repeat(30000) + "]".repeat(30000);
  for (const text of [`{"type":${deep}}`, `{"type":"ping","data":{"timestamp":${deep}}}`]) {
    assert.match(faultOf(text).message, /is a list/);
  }
});
