// Servers of the soak tests, in processes of their own.
import assert from "node:assert/strict";
import { within } from "../support/within.ts";

/** Where it listens. */
export interface Place {
  port: number;
  plainPort: number;
  caPem: string;
}

/** A process that says of itself what its `/stats` says. */
export interface ServerProcess<Stats> extends Place, AsyncDisposable {
  stats(): Promise<Stats>;
}

/** Runs a program of this folder. */
export async function startServerProcess<Stats>(program: string): Promise<ServerProcess<Stats>> {
  const flags = ["--unstable-net", "--v8-flags=--expose-gc"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...flags, new URL(program, import.meta.url).pathname],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.endsWith("\n")) {
    const { value, done } = await within("the server", reader.read());
    assert.ok(!done, "the server has ended");
    line += value;
  }
  const place: Place = JSON.parse(line);
  return {
    ...place,
    async stats() {
      const response = await fetch(`http://127.0.0.1:${place.plainPort}/stats`);
      return await response.json();
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}
