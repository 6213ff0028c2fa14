import { whyNoPackets } from "../../support/packet_path.ts";
import type { PathKind } from "./path.ts";

/** How packets go, in words. */
const PATHS: Record<PathKind, string> = {
  relay: "relays of UDP's datagrams and of TCP's bytes, whose losses are modelled",
  packets: "real packets through a tun device: the kernel's TCP",
};

type Body = (kind: PathKind, title: string) => Promise<void>;

function titleOf(name: string, kind: PathKind, whyNot: string | null): string {
  const left = whyNot === null ? "" : `\n(No real packets here: ${whyNot})`;
  return `${name}, by ${PATHS[kind]}${left}`;
}

/** A test by relays, and by real packets where this system lets it make a network namespace. */
export function onEachPath(name: string, body: Body): void {
  Deno.test(`claims: ${name}`, async () => {
    const whyNot = await whyNoPackets();
    await body("relay", titleOf(name, "relay", whyNot));
    if (whyNot === null) await body("packets", titleOf(name, "packets", null));
  });
}

/** A test by real packets where this system lets it make a network namespace, else by relays. */
export function onBestPath(name: string, body: Body): void {
  Deno.test(`claims: ${name}`, async () => {
    const whyNot = await whyNoPackets();
    const kind = whyNot === null ? "packets" : "relay";
    await body(kind, titleOf(name, kind, whyNot));
  });
}
