// All doors of one proxy before a backend that says who it is.
import type { BackendTarget } from "../../src/proxy/backend.ts";
import type { Route } from "../../src/proxy/route.ts";
import { DoorPeers } from "./door_peers.ts";
import { type Doors, withDoors } from "./doors.ts";
import { NamedBackend } from "./named_backend.ts";
import type { TestProxyOptions } from "./proxy.ts";

/** What a test has at hand. */
export interface NamedDoors {
  readonly t: Doors;
  readonly peers: DoorPeers;
  /** Behind all paths, unless the test has routes. */
  readonly main: NamedBackend;
}

/** How a proxy dials a backend. */
export function targetOf({ port, url }: NamedBackend): BackendTarget {
  return {
    dial: { hostname: "127.0.0.1", port },
    url,
    host: null,
    path: null,
    maxHeaderBytes: 16_384,
  };
}

/** A route that takes everything, as far as nothing else is said. */
export function routeTo(
  backends: NamedBackend | readonly NamedBackend[],
  given: Partial<Omit<Route, "match">> & { match?: Partial<Route["match"]> } = {},
): Route {
  const list = [backends].flat() as NamedBackend[];
  return {
    name: list.map(({ name }) => name).join(),
    enabled: true,
    balance: "round-robin",
    health: {},
    limits: {},
    allowedOrigins: null,
    upgrades: ["*"],
    headers: { request: { set: {}, remove: [] }, response: { set: {}, remove: [] } },
    keepHost: true,
    ...given,
    backends: list.map(targetOf),
    match: { hosts: [], path: null, headers: [], methods: [], ...given.match },
  };
}

/** Runs `body`, and checks that nothing is left of it. */
export async function withNamedDoors(
  options: TestProxyOptions,
  body: (doors: NamedDoors) => Promise<void>,
): Promise<void> {
  await using main = await NamedBackend.listen("main");
  await withDoors({ backend: targetOf(main), ...options }, async (t) => {
    const { port, plainPort } = t.proxy;
    await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
    await body({ t, peers, main });
    await peers.close();
    // Connections that are pooled are no leak.
    main.drop();
  });
}
