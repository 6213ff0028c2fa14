import { ValueError } from "../config/error.ts";
import type { Kind } from "../config/kinds.ts";

const ALLOWED = "wss://host:port/path or ws://host:port/path";

/** The URL of a WebSocket. */
export const url: Kind<string> = {
  placeholder: "url",
  allowed: ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "") throw new ValueError("is missing", ALLOWED);
    const parsed = URL.parse(text);
    if (parsed === null || !/^(?:wss?|https?):$/.test(parsed.protocol) || parsed.hash !== "") {
      throw new ValueError("is not the URL of a WebSocket", ALLOWED);
    }
    return parsed.href;
  },
};
