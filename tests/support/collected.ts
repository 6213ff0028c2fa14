import v8 from "node:v8";
import vm from "node:vm";

/**
 * Resolves once V8 has collected all garbage that was there before the call: what is held by
 * nobody is gone then, and its finalizers have run.
 */
export async function collected(): Promise<void> {
  let done = false;
  const registry = new FinalizationRegistry(() => done = true);
  for (let round = 0; round < 2; round++) {
    done = false;
    registry.register({}, null);
    while (!done) {
      // Garbage that has lived for a while is what brings on a collection of everything.
      const garbage = Array.from({ length: 64 }, () => new Array(16 * 1024).fill(Math.random()));
      await new Promise((resolve) => setTimeout(resolve, 0, garbage.length));
    }
  }
}

/** Has V8 collect all that nobody holds, also what it thinks too small to collect for. */
export function collectNow(): void {
  // It is there in realms that are made behind the flag.
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
}
