import * as fc from "fast-check";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import { encodeMessage, parseMessage } from "../../../src/protocol/tunnel/json.ts";
import type { JsonMessage } from "../../../src/protocol/tunnel/message.ts";
import type { Codec, Decoder } from "../driver.ts";
import { host, port } from "./socks5.ts";

const LIMITS = { maxPayloadBytes: 64 };
const utf8 = new TextDecoder();

const note = fc.string({ unit: "binary", maxLength: 20 });
const id = fc.string({ unit: "binary", minLength: 1, maxLength: 20 })
  .filter((text) => !/\p{Cc}/u.test(text));
// There is no negative zero in JSON.
const timestamp = fc.oneof(fc.maxSafeNat(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .map((value) => value === 0 ? 0 : value);

const message: fc.Arbitrary<JsonMessage> = fc.oneof(
  fc.record({ type: fc.constant("auth"), username: note, password: note, clientId: id }),
  fc.record({ type: fc.constant("auth_response"), success: fc.boolean(), message: note }),
  fc.record({
    type: fc.constant("connect"),
    connectionId: id,
    host,
    port,
    protocol: fc.constantFrom("tcp", "udp"),
  }),
  fc.record({
    type: fc.constant("connect_response"),
    connectionId: id,
    success: fc.boolean(),
    message: note,
  }),
  fc.record({
    type: fc.constant("data"),
    connectionId: id,
    payload: fc.uint8Array({ maxLength: 64 }),
  }),
  fc.record({ type: fc.constant("close"), connectionId: id, reason: note }),
  fc.record({ type: fc.constantFrom("ping", "pong"), timestamp }),
  fc.record({
    type: fc.constant("error"),
    code: fc.constantFrom(...Object.values(TunnelCode)),
    message: note,
    connectionId: fc.option(id),
  }),
);

export const decoders: Decoder[] = [{
  name: "JSON tunnel",
  decode: (bytes) => parseMessage(utf8.decode(bytes), LIMITS),
  valid: message.map((value) => new TextEncoder().encode(encodeMessage(value))),
  beyond: fc.uint8Array({ minLength: 60, maxLength: 70 }).map((payload) =>
    new TextEncoder().encode(encodeMessage({ type: "data", connectionId: "1", payload }))
  ),
}];

const codec: Codec<JsonMessage, string> = {
  name: "JSON tunnel",
  value: message,
  encode: encodeMessage,
  decode: (text) => parseMessage(text, LIMITS),
};

export const codecs: Codec[] = [codec] as Codec[];
