import * as net from "node:net";

/** A connection through SOCKS5. */
export interface SocksClient {
  /** All that came; each character is one byte. */
  readonly text: string;
  /** How many bytes came. */
  readonly bytes: number;
  /** How the other side ended. */
  readonly ended: Promise<"fin" | "reset">;
  write(data: string | Uint8Array): void;
  /** Writes for as long as that is taken; tells how often it was. */
  pour(): () => number;
  fin(): void;
  reset(): void;
  /** Reads no more. */
  pause(): void;
  /** Reads again. */
  resume(): void;
}

const utf8 = new TextEncoder();
const POURED = new Uint8Array(65_536);

/** Writes for as long as that is taken; tells how often it was. */
export function pour(socket: net.Socket): () => number {
  let taken = 0;
  const more = () => {
    socket.write(POURED, (error) => {
      if (error) return;
      taken++;
      more();
    });
  };
  more();
  return () => taken;
}

/** Who one is at a proxy. */
export interface SocksLogin {
  port: number;
  username: string;
  password: string;
}

/**
 * Connects, without a password by a port alone, and keeps what comes, or counts it; throws with
 * the reply's code where it is refused.
 */
export async function socksConnect(
  proxy: number | SocksLogin,
  host: string,
  port: number,
  keep: "text" | "count" = "text",
): Promise<SocksClient> {
  const socket = net.connect({ port: portOf(proxy), host: "127.0.0.1", allowHalfOpen: true });
  const ended = Promise.withResolvers<"fin" | "reset">();
  let text = "";
  let count = 0;
  let isThrough = false;
  socket.on("end", () => ended.resolve("fin"));
  socket.on("error", () => ended.resolve("reset"));
  socket.on("close", () => ended.resolve("reset"));
  socket.on("data", (bytes: Uint8Array) => {
    if (keep === "count" && isThrough) return void (count += bytes.length);
    for (const byte of bytes) text += String.fromCharCode(byte);
    wake();
  });
  let wake = () => {};
  const has = async (length: number) => {
    while (text.length < length) {
      const more = new Promise<void>((resolve) => wake = resolve);
      const end = await Promise.race([more, ended.promise]);
      if (end !== undefined && text.length < length) throw new Error(`SOCKS5 ended by ${end}`);
    }
  };
  socket.write(Uint8Array.of(5, 1, typeof proxy === "number" ? 0 : 2));
  await has(2);
  if (typeof proxy !== "number") {
    const [name, password] = [proxy.username, proxy.password].map((one) => utf8.encode(one));
    socket.write(Uint8Array.of(1, name.length, ...name, password.length, ...password));
    await has(4);
    text = text.slice(2);
  }
  const name = utf8.encode(host);
  socket.write(Uint8Array.of(5, 1, 0, 3, name.length, ...name, port >> 8, port & 0xff));
  await has(12);
  const reply = text.charCodeAt(3);
  text = text.slice(12);
  if (reply !== 0) {
    socket.destroy();
    throw new Error(`SOCKS5 reply ${reply}`);
  }
  isThrough = true;
  count = text.length;
  return {
    get bytes() {
      return keep === "count" ? count : text.length;
    },
    get text() {
      return text;
    },
    ended: ended.promise,
    write: (data) => void socket.write(data),
    pour: () => pour(socket),
    fin: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

function portOf(proxy: number | SocksLogin): number {
  return typeof proxy === "number" ? proxy : proxy.port;
}
