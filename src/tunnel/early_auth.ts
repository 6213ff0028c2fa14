// Who an agent is, said by its request already: so that a WebSocket is there for agents alone.
import { encodeBasic, readBasic } from "../protocol/http1/proxy_authorization.ts";
import type { Auth } from "../protocol/tunnel/auth.ts";
import type { WebSocketRequest } from "../server/request.ts";

/** RFC 6750 §2.1. */
const BEARER = /^bearer +([\x21-\x7e]+)$/i;

/** What Authorization says for an agent; `null` for one whose certificate says it all. */
export function authorizationFor(login: Auth["login"]): string | null {
  if (login === null) return null;
  // A token may be what no Bearer can say (RFC 6750 §2.1): it goes as the password of nobody.
  return encodeBasic("token" in login ? { username: "", password: login.token } : login);
}

/** Who a request says that it is; `null` where it says nothing. */
export function loginOf({ headers }: Pick<WebSocketRequest, "headers">): Auth["login"] {
  const value = headers.get("authorization") ?? "";
  const token = BEARER.exec(value)?.[1];
  if (token !== undefined) return { token };
  const basic = readBasic(value);
  if (basic === null) return null;
  return basic.username === "" ? { token: basic.password } : basic;
}
