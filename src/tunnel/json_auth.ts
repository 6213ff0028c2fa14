import type { Socket } from "../endpoint/socket.ts";
import { NetError } from "../net/error.ts";
import { type Auth, type Authed, TUNNEL_VERSION } from "../protocol/tunnel/auth.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { encodeMessage, parseMessage } from "../protocol/tunnel/json.ts";
import { type JsonMessage, MessageError } from "../protocol/tunnel/message.ts";
import { JSON_LIMITS } from "./json_link.ts";
import { TunnelRefused } from "./target.ts";

/**
 * What an agent of AnyProxy says of itself. `null` where it said something else: then it was told
 * so, unless it is gone.
 */
export async function readJsonAuth(socket: Socket): Promise<Auth | null> {
  const text = await socket.receive();
  if (text === null) return null;
  try {
    const message = parse(text);
    if (message.type !== "auth") throw new MessageError(`"${message.type}" where "auth" belongs`);
    const { username, password, clientId } = message;
    // Its certificate says who it is.
    const login = username === "" && password === "" ? null : { username, password };
    return {
      ...{ version: TUNNEL_VERSION, clientId, login },
      ...{ group: null, agent: null, openPorts: [], maxConns: null },
    };
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    const { code, message } = error;
    await socket.send(encodeMessage({ type: "error", code, message, connectionId: null }));
    return null;
  }
}

/** Tells an agent of AnyProxy whether it is taken. */
export async function answerJsonAuth(socket: Socket, authed: Authed): Promise<void> {
  const { success, message, code } = authed;
  await socket.send(encodeMessage({ type: "auth_response", success, message }));
  if (code === null) return;
  await socket.send(encodeMessage({ type: "error", code, message, connectionId: null }));
}

/**
 * Says who we are to a gateway of AnyProxy. A token goes as the password of our id.
 *
 * @throws {TunnelRefused} with AUTH_FAILED when it does not take us
 * @throws {NetError} when it is gone, or says something else
 */
export async function sendJsonAuth(socket: Socket, { clientId, login }: Auth): Promise<void> {
  const { username, password } = login === null
    ? { username: "", password: "" }
    : "token" in login
    ? { username: clientId, password: login.token }
    : login;
  await socket.send(encodeMessage({ type: "auth", username, password, clientId }));
  const text = await socket.receive();
  if (text === null) throw new NetError("lost", "the gateway closed before it answered auth");
  const message = parseAnswer(text);
  if (message.type === "auth_response" && message.success) return;
  if (message.type === "auth_response") {
    throw new TunnelRefused(TunnelCode.AUTH_FAILED, message.message || "Authentication failed");
  }
  if (message.type === "error") throw new TunnelRefused(message.code, message.message);
  throw new NetError("other", `the gateway answered auth with "${message.type}"`);
}

function parseAnswer(text: string | Uint8Array): JsonMessage {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    throw new NetError(
      "other",
      `the gateway answered auth with what is no message: ${error.message}`,
    );
  }
}

function parse(text: string | Uint8Array): JsonMessage {
  if (typeof text !== "string") throw new MessageError("A binary message");
  return parseMessage(text, JSON_LIMITS);
}
