import { CommandError } from "./command.ts";
import { shortReason } from "./files.ts";

/** The lines that a file keeps, the last one first; none where there is no such file yet. */
export async function loadHistory(file: string | null, most: number): Promise<string[]> {
  if (file === null) return [];
  try {
    const text = await Deno.readTextFile(file);
    return text.split("\n").filter((line) => line !== "").reverse().slice(0, most);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new CommandError(`Cannot read ${file}: ${shortReason(error)}`);
  }
}

/** Keeps the lines, the last one first; only their owner may read them. */
export async function saveHistory(file: string | null, lines: readonly string[]): Promise<void> {
  if (file === null) return;
  const text = [...lines].reverse().map((line) => `${line}\n`).join("");
  try {
    await Deno.writeTextFile(file, text, { mode: 0o600 });
  } catch (error) {
    throw new CommandError(`Cannot write ${file}: ${shortReason(error)}`);
  }
}
