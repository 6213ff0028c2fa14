// Runs a measurement here, or on real packets in a process of its own.
import assert from "node:assert/strict";
import { inNamespace } from "../../support/packet_path.ts";
import { measureRoundTrips, type RoundTrips } from "./handshake.ts";
import { type Blocking, type Latency, measureBlocking, measureLatency } from "./hol.ts";
import type { MeasureOptions } from "./path.ts";

interface Measured {
  roundTrips: RoundTrips;
  blocking: Blocking;
  latency: Latency;
}

type Options = MeasureOptions & { packed?: boolean };
const MEASURES: { [N in keyof Measured]: (options: Options) => Promise<Measured[N]> } = {
  roundTrips: measureRoundTrips,
  blocking: measureBlocking,
  latency: measureLatency,
};

const HERE = new URL("measures.ts", import.meta.url).pathname;

/** What `name` measures with each of these options, one after the other. */
export async function measure<N extends keyof Measured>(
  name: N,
  options: readonly Options[],
): Promise<Measured[N][]> {
  if (options[0].kind === "packets") return await apart(name, options);
  return await inTurn(name, options);
}

async function inTurn<N extends keyof Measured>(
  name: N,
  options: readonly Options[],
): Promise<Measured[N][]> {
  const measured: Measured[N][] = [];
  for (const one of options) measured.push(await MEASURES[name](one));
  return measured;
}

async function apart<N extends keyof Measured>(
  name: N,
  options: readonly Options[],
): Promise<Measured[N][]> {
  const args = ["run", "-A", "--unstable-net", HERE, name, JSON.stringify(options)];
  const [command, ...rest] = inNamespace([Deno.execPath(), ...args]);
  const child = new Deno.Command(command, { args: rest, stderr: "inherit" });
  const { success, stdout } = await child.output();
  assert.ok(success, `${name} by real packets`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const [name, options] = Deno.args;
  const measured = await inTurn(name as keyof Measured, JSON.parse(options));
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(measured)));
  // A closed endpoint of Deno's QUIC would keep the process.
  Deno.exit();
}
