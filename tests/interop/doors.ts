// `h3ws proxy` as a process with all of its doors open, for peers that come over TCP.
import {
  type ProxyProcess,
  type ProxyProcessOptions,
  startProxyProcess,
} from "../support/process.ts";

export interface Doors extends ProxyProcess {
  /** The TCP port of HTTP/1.1 and HTTP/2 in clear text, on 127.0.0.1. */
  readonly plainPort: number;
}

/** Passes every path on, ordinary requests too. */
export async function startDoors({ flags = [], ...rest }: ProxyProcessOptions): Promise<Doors> {
  const proxy = await startProxyProcess({
    flags: ["--plain-listen", "127.0.0.1:0", "--path", "^/", "--requests", ...flags],
    ...rest,
  });
  const listening = proxy.log.find(({ event }) => event === "proxy.listening")!;
  return { ...proxy, plainPort: Number(String(listening.plainListen).split(":").at(-1)) };
}

/** How a client comes in over TCP. */
export interface Door {
  readonly name: "h1" | "h1s" | "h2c" | "h2";
  /** The label of the metrics and the log. */
  readonly http: "1.1" | "2";
  readonly secure: boolean;
}

export const DOORS: readonly Door[] = [
  { name: "h1", http: "1.1", secure: false },
  { name: "h1s", http: "1.1", secure: true },
  { name: "h2c", http: "2", secure: false },
  { name: "h2", http: "2", secure: true },
];

/** "http://127.0.0.1:port" of a door. */
export function originOf({ secure }: Door, { port, plainPort }: Doors): string {
  return secure ? `https://127.0.0.1:${port}` : `http://127.0.0.1:${plainPort}`;
}
