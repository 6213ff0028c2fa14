import v8 from "node:v8";
import vm from "node:vm";

/** Never touched, and so no memory; V8 collects for it. */
const URGE_BYTES = 64 * 1024 * 1024;

let collector: (() => void) | undefined;

/** Collects what nobody refers to, which takes some 20 to 100 ms of the event loop. */
export function collect(): void {
  try {
    (collector ??= findCollector())();
  } catch {
    new ArrayBuffer(URGE_BYTES, { maxByteLength: URGE_BYTES });
  }
}

/** The flag gives it to realms that are made from now on. */
function findCollector(): () => void {
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc");
}

/** Gives the system what glibc keeps of memory that was freed; does nothing with another libc. */
export function trim(): void {
  try {
    // Not asked for: a prompt would come as a surprise.
    if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
    const symbols = { malloc_trim: { parameters: ["usize"], result: "i32" } } as const;
    const libc = Deno.dlopen("libc.so.6", symbols);
    libc.symbols.malloc_trim(0n);
    libc.close();
  } catch {
    // There is no such library, or no such function in it.
  }
}
