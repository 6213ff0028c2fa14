import { reasonPhrase } from "../protocol/http1/status.ts";
import type { Field } from "../protocol/wire/field.ts";
import { visible } from "../protocol/wire/visible.ts";

/** An answer that opens no WebSocket. */
export interface RefusedAnswer {
  /** Its status: 404, 401, 503. */
  readonly status: number;
  /** Its header fields; names in lower case. */
  readonly fields: readonly Field[];
  /** Its body, or how that begins. */
  readonly body: Uint8Array;
  /** Whether there was more of the body; left out, it is whole. */
  readonly isBodyCut?: boolean;
}

/** The server answered, but not with a WebSocket. */
export class UpgradeRefused extends Error {
  /** The name of the class. */
  override name = "UpgradeRefused";
  /** Its status: 404, 401, 503. */
  readonly status: number;
  /** Its header fields; names in lower case. */
  readonly fields: readonly Field[];
  /** Its body; of one that is longer the first 64 KiB. */
  readonly body: Uint8Array;
  /** Whether the body was longer than that. */
  readonly isBodyCut: boolean;

  /** An error for the answer to a request for `url`; it quotes how the body begins. */
  constructor(url: string, answer: RefusedAnswer) {
    super(`Cannot open ${url}: the server answered ${spoken(answer)}`);
    this.status = answer.status;
    this.fields = answer.fields;
    this.body = answer.body;
    this.isBodyCut = answer.isBodyCut ?? false;
  }
}

const QUOTED_CHARACTERS = 120;

const HINTS: Readonly<Record<number, string>> = {
  401: "give it credentials, as in an authorization field",
  403: "it may want another origin or other credentials",
  404: "check the path",
  426: "it wants another version of HTTP or of WebSocket",
};

/** Such as: 403 Forbidden, "not you"; it may want another origin or other credentials. */
function spoken({ status, body }: { status: number; body: Uint8Array }): string {
  const quoted = beginning(body);
  const hint = HINTS[status];
  return `${status} ${reasonPhrase(status)}`.trimEnd() +
    (quoted === "" ? "" : `, "${quoted}"`) + (hint === undefined ? "" : `; ${hint}`);
}

/** The first line of what is text; nothing of anything else. */
function beginning(body: Uint8Array): string {
  let text: string;
  try {
    // The last character may be cut off.
    text = new TextDecoder("utf-8", { fatal: true }).decode(body, { stream: true });
  } catch {
    return "";
  }
  const line = text.trim().split(/[\r\n]/, 1)[0];
  if (/^\s*</.test(line) || visible(line) !== line) return "";
  const characters = [...line];
  if (characters.length <= QUOTED_CHARACTERS) return line;
  return `${characters.slice(0, QUOTED_CHARACTERS).join("")}…`;
}
