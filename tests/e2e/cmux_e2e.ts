import { CMUX_DEFAULTS, type CmuxOptions } from "../../src/proxy/cmux.ts";
import { DoorPeers } from "../support/door_peers.ts";
import { type Doors, withDoors } from "../support/doors.ts";
import { NamedBackend } from "../support/named_backend.ts";

export const PORT = "x-cmux-port-internal";
export const WORKSPACE = "x-cmux-workspace-internal";
export const OVERRIDE = "x-cmux-host-override";

/** All doors of a proxy in cmux mode. */
export async function withCmux(
  options: Partial<CmuxOptions>,
  body: (peers: DoorPeers, t: Doors) => Promise<void>,
): Promise<void> {
  await withDoors({ cmux: { ...CMUX_DEFAULTS, ...options } }, async (t) => {
    const { port, plainPort } = t.proxy;
    await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
    await body(peers, t);
  });
}

/** A port that nobody listens at. */
export async function deadPort(): Promise<number> {
  const backend = await NamedBackend.listen("gone");
  const { port } = backend;
  await backend.close();
  return port;
}
