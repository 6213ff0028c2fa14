// What gateways tell each other through NATS: which groups have agents, and the frames of a link.
import type { Asked } from "./observer.ts";

/** The version of all that is here; it stands in the subjects. */
export const CLUSTER_VERSION = "v1";

/** Said by each gateway to all others again and again, and when it changes. */
export interface Presence {
  /** Of a gateway, for as long as its process lives. */
  readonly id: string;
  /** How often it is said at least. */
  readonly heartbeatMs: number;
  /** The groups that have agents there. */
  readonly groups: readonly string[];
  /** More of the groups follow in the next one. */
  readonly more: boolean;
  /** It has just come, and wants to hear of all others. */
  readonly hello: boolean;
  /** It goes. */
  readonly leaves: boolean;
}

/** Whoever says that it speaks less often is not believed. */
export const MAX_HEARTBEAT_MS = 60_000;

/** So many characters of groups are in one message: below 64 KiB, whatever they are. */
const MAX_GROUP_CHARS = 10_000;
const MAX_PRESENCE_BYTES = 65_536;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Its messages: one, unless there are thousands of groups. */
export function encodePresence(presence: Omit<Presence, "more">): Uint8Array[] {
  const parts: string[][] = [[]];
  let chars = 0;
  for (const group of presence.groups) {
    chars += group.length + 3;
    if (chars > MAX_GROUP_CHARS) {
      parts.push([]);
      chars = 0;
    }
    parts.at(-1)!.push(group);
  }
  return parts.map((groups, i) => {
    return utf8.encode(JSON.stringify({ ...presence, groups, more: i < parts.length - 1 }));
  });
}

/** `null` for what is none. */
export function decodePresence(bytes: Uint8Array): Presence | null {
  if (bytes.length > MAX_PRESENCE_BYTES) return null;
  const value = parse(bytes) as Partial<Presence> | null;
  const { id, heartbeatMs, groups, more, hello, leaves } = value ?? {};
  const isOne = typeof id === "string" && isSubjectPart(id) &&
    typeof heartbeatMs === "number" && heartbeatMs > 0 &&
    Array.isArray(groups) && groups.every((group) => typeof group === "string");
  if (!isOne) return null;
  const everyMs = Math.min(heartbeatMs, MAX_HEARTBEAT_MS);
  return { id, heartbeatMs: everyMs, groups, more: !!more, hello: !!hello, leaves: !!leaves };
}

/** Whether it may stand between two dots of a subject. */
export function isSubjectPart(part: string): boolean {
  return /^[\w-]{1,64}$/.test(part);
}

/** What comes before OPEN: who asks, and for whose agents. */
export type About = Pick<Asked, "client" | "user" | "group"> & {
  /** The stream that will be opened. */
  readonly stream: number;
};

/** One message of a link. Each has its number, so that it is known when one is lost. */
export type LinkMessage =
  | { readonly type: "frame"; readonly frame: Uint8Array }
  | { readonly type: "about"; readonly about: About }
  /** Nothing; but it would tell if something was lost before it. */
  | { readonly type: "beat" }
  | { readonly type: "end"; readonly reason: string };

const TYPES = ["frame", "about", "beat", "end"] as const;
const HEADER_BYTES = 5;

/** The number in four bytes, the type in one, and the rest. */
export function encodeLinkMessage(number: number, message: LinkMessage): Uint8Array {
  const body = bodyOf(message);
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, number);
  bytes[HEADER_BYTES - 1] = TYPES.indexOf(message.type);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

function bodyOf(message: LinkMessage): Uint8Array {
  if (message.type === "frame") return message.frame;
  if (message.type === "about") return utf8.encode(JSON.stringify(message.about));
  return message.type === "end" ? utf8.encode(message.reason) : new Uint8Array(0);
}

/** `null` for what is none. A frame is a view of the bytes. */
export function decodeLinkMessage(
  bytes: Uint8Array,
): { number: number; message: LinkMessage } | null {
  if (bytes.length < HEADER_BYTES) return null;
  const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const message = messageOf(TYPES[bytes[HEADER_BYTES - 1]], bytes.subarray(HEADER_BYTES));
  return message === null ? null : { number, message };
}

function messageOf(type: LinkMessage["type"] | undefined, body: Uint8Array): LinkMessage | null {
  if (type === "frame") return { type, frame: body };
  if (type === "beat") return { type };
  if (type === "end") return { type, reason: text.decode(body) };
  if (type === undefined) return null;
  const { stream, client, user, group } = (parse(body) ?? {}) as Partial<About>;
  const isOne = typeof stream === "number" && typeof client === "string" &&
    typeof user === "string" && typeof group === "string";
  return isOne ? { type, about: { stream, client, user, group } } : null;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text.decode(bytes));
  } catch {
    return null;
  }
}
