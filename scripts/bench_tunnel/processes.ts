/** Which processes belong to a program that makes others: `proc(5)`, Linux only. */

/** The parent of each process. */
export type ProcessTable = ReadonlyMap<number, number>;

/** All processes there are. */
export async function processTable(): Promise<ProcessTable> {
  const table = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => null);
    if (stat !== null) table.set(Number(name), parentOf(stat));
  }
  return table;
}

/** The 4th field of a process's `stat`: the 2nd, its name in brackets, may have both in it. */
export function parentOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** A process, its children, and theirs. */
export function withDescendants(pid: number, table: ProcessTable): number[] {
  const found = [pid];
  for (const parent of found) {
    for (const [child, its] of table) if (its === parent) found.push(child);
  }
  return found;
}
