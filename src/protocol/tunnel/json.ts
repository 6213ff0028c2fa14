// The messages of the JSON tunnel as text, and back.
import { base64Length, encodeBase64 } from "../wire/base64.ts";
import { tunnelCodeName } from "./code.ts";
import { isObject, MessageValues, show, type Values } from "./json_values.ts";
import { type JsonMessage, MessageError, type MessageLimits } from "./message.ts";

/** What a message may have beside its payload: all texts as long as they may be, escaped. */
const MAX_OTHER_CHARS = 16384;
const DEFAULT_MAX_PAYLOAD_BYTES = 64 * 1024;

/** The most characters of a message's text. */
export function maxMessageChars(limits: MessageLimits = {}): number {
  return MAX_OTHER_CHARS + base64Length(limits.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES);
}

/**
 * Takes the text of one message apart. Keys that are not known are ignored; `message` and `reason`
 * may be left out, and what is too long of them is cut off.
 *
 * @throws {MessageError} which names the key, and the value unless that is nobody's business
 */
export function parseMessage(text: string, limits: MessageLimits = {}): JsonMessage {
  if (text.length > maxMessageChars(limits)) {
    throw new MessageError(`A message of ${text.length} characters is too long`);
  }
  const { type, data } = parseObject(text);
  const read = typeof type === "string" ? READERS.get(type) : undefined;
  if (typeof type !== "string" || read === undefined) {
    const known = [...READERS.keys()].join(", ");
    throw new MessageError(`type is ${show(type)}, not ${known}`, null, "stream");
  }
  if (!isObject(data)) throw new MessageError(`data of "${type}" is ${show(data)}, not an object`);
  return read(new MessageValues(type, data), limits);
}

function parseObject(text: string): Values {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // What the engine says of it quotes the text, in which there may be a password.
    if (error instanceof SyntaxError) throw new MessageError("A message is not JSON");
    throw error;
  }
  if (isObject(value)) return value;
  throw new MessageError("A message is not a JSON object");
}

/** The text of a message. */
export function encodeMessage(message: JsonMessage): string {
  if (message.type === "data") {
    // Base64 needs no escapes, so nobody looks for them in megabytes.
    const id = JSON.stringify(message.connectionId);
    const payload = encodeBase64(message.payload);
    return `{"type":"data","data":{"connection_id":${id},"payload":"${payload}"}}`;
  }
  return JSON.stringify({ type: message.type, data: dataOf(message) });
}

function dataOf(message: Exclude<JsonMessage, { type: "data" }>): Values {
  switch (message.type) {
    case "auth": {
      const { username, password, clientId } = message;
      return { username, password, client_id: clientId };
    }
    case "auth_response":
      return { success: message.success, message: message.message };
    case "connect": {
      const { connectionId, host, port, protocol } = message;
      return { connection_id: connectionId, target_host: host, target_port: port, protocol };
    }
    case "connect_response": {
      const { connectionId, success } = message;
      return { connection_id: connectionId, success, message: message.message };
    }
    case "close":
      return { connection_id: message.connectionId, reason: message.reason };
    case "ping":
    case "pong":
      return { timestamp: message.timestamp };
    case "error": {
      const { code, connectionId } = message;
      const base = { code: tunnelCodeName(code), message: message.message };
      return connectionId === null ? base : { ...base, connection_id: connectionId };
    }
  }
}

type ReadMessage = (data: MessageValues, limits: MessageLimits) => JsonMessage;

const BY_TYPE: Readonly<Record<JsonMessage["type"], ReadMessage>> = {
  auth: (data) => ({
    type: "auth",
    username: data.secret("username"),
    password: data.secret("password"),
    clientId: data.id("client_id"),
  }),
  auth_response: (data) => ({
    type: "auth_response",
    success: data.flag("success"),
    message: data.note("message"),
  }),
  connect: (data) => ({
    type: "connect",
    connectionId: data.connectionId(),
    host: data.host("target_host"),
    port: data.port("target_port"),
    protocol: data.protocol("protocol"),
  }),
  connect_response: (data) => ({
    type: "connect_response",
    connectionId: data.connectionId(),
    success: data.flag("success"),
    message: data.note("message"),
  }),
  data: (data, { maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES }) => ({
    type: "data",
    connectionId: data.connectionId(),
    payload: data.payload("payload", maxPayloadBytes),
  }),
  close: (data) => ({
    type: "close",
    connectionId: data.connectionId(),
    reason: data.note("reason"),
  }),
  ping: (data) => ({ type: "ping", timestamp: data.finite("timestamp") }),
  pong: (data) => ({ type: "pong", timestamp: data.finite("timestamp") }),
  error: (data) => ({
    type: "error",
    connectionId: data.optionalConnectionId(),
    code: data.code("code"),
    message: data.note("message"),
  }),
};

const READERS: ReadonlyMap<string, ReadMessage> = new Map(Object.entries(BY_TYPE));
