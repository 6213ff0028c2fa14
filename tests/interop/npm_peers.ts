// Packages that only these tests need, and many of them: they are not in deno.json. H3WS_NPM names
// a folder where this was run:
//   npm install socket.io@4.8.4 socket.io-client@4.8.4 graphql@17.1.0 graphql-ws@6.4.2 \
//     mqtt@5.16.0 aedes@0.51.3
// (aedes 1 is of ES modules alone, which neither Deno nor require takes from such a folder.)
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { DOORS, type Doors, originOf, startDoors } from "./doors.ts";
import { peerTests } from "./peers.ts";

/** A package of the folder, or a door of one: "graphql-ws/use/ws". */
export function requirePeer<T>(folder: string, name: string): T {
  return createRequire(`${folder}/package.json`)(name);
}

export interface NpmTalk {
  /** Where the packages are. */
  folder: string;
  /** The backend's, in the test's process, listening. */
  server: Server;
  proxy: Doors;
  /** "http://127.0.0.1:port" of the door, or "https:". */
  origin: string;
  /** The same with "ws:" or "wss:". */
  wsOrigin: string;
  ca: string;
}

const test = peerTests("H3WS_NPM");

/** Declares a test of both doors of HTTP/1.1, which is all that these packages speak. */
export function npmTest(name: string, body: (talk: NpmTalk) => Promise<void>): void {
  for (const door of DOORS.filter(({ http }) => http === "1.1")) {
    test(`${name}, by ${door.name}`, async (folder) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const { port } = server.address() as AddressInfo;
        await using proxy = await startDoors({ backendPort: port });
        const origin = originOf(door, proxy);
        const wsOrigin = origin.replace(/^http/, "ws");
        await body({ folder, server, proxy, origin, wsOrigin, ca: proxy.caCerts[0] });
      } finally {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
      }
    });
  }
}
