import type { CertFiles } from "../config/file.ts";
import { messageOf } from "../net/error.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { CommandError } from "./command.ts";
import { certificatesProblem } from "./pem.ts";

/** No certificate, key, table or configuration is larger. */
export const MAX_FILE_BYTES = 1024 * 1024;

const FIRST_READ_BYTES = 4096;

export interface ReadOptions {
  /**
   * Takes only what can be read again and again: a pipe waits for somebody who writes to it.
   * Default false, for a start: `--cert <(...)`.
   */
  readonly regular?: boolean;
}

/** The bytes of a file of at most `MAX_FILE_BYTES`. `shortReason` has words for what it throws. */
export async function readBytes(file: string, options: ReadOptions = {}): Promise<Uint8Array> {
  // It may be the opening of a pipe that waits.
  if (options.regular) mustBeReadable(await Deno.stat(file), options);
  using handle = await Deno.open(file);
  const info = await handle.stat();
  mustBeReadable(info, options);
  // What has no size beforehand grows. The byte more is where the end shows.
  let bytes = new Uint8Array(Math.max(info.size, FIRST_READ_BYTES) + 1);
  let length = 0;
  for (;;) {
    const count = await handle.read(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
    if (length > MAX_FILE_BYTES) throw new Error(TOO_LARGE);
    if (length < bytes.length) continue;
    bytes = new Uint8Array(bytes.buffer.transfer(Math.min(2 * length, MAX_FILE_BYTES + 1)));
  }
}

const TOO_LARGE = "it is larger than 1 MiB";

function mustBeReadable({ isDirectory, isFile, size }: Deno.FileInfo, { regular }: ReadOptions) {
  if (isDirectory) throw new Deno.errors.IsADirectory("it is a directory");
  if (regular && !isFile) throw new Error("it is not a regular file");
  if (size > MAX_FILE_BYTES) throw new Error(TOO_LARGE);
}

/** The text of a regular file, as `readBytes`. */
export async function regularText(file: string): Promise<string> {
  return decode(await readBytes(file, { regular: true }));
}

/** The text of a file. Throws `CommandError` that says which one could not be read and why. */
export async function readText(file: string, options?: ReadOptions): Promise<string> {
  return decode(await toldBytes(file, options));
}

/** As `readBytes`. Throws `CommandError` that says which file could not be read and why. */
export async function toldBytes(file: string, options?: ReadOptions): Promise<Uint8Array> {
  try {
    return await readBytes(file, options);
  } catch (error) {
    throw new CommandError(`Cannot read ${file}: ${shortReason(error)}`, { cause: error });
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Reads both files. Throws `CommandError` that says which one could not be read and why. */
export async function readCertPair(
  { certFile, keyFile }: CertFiles,
  options?: ReadOptions,
): Promise<CertificatePair> {
  // One after the other: where both are missing, it is always the first that is told of.
  const certPem = await readText(certFile, options);
  return { certPem, keyPem: await readText(keyFile, options) };
}

/** The certificates of a file in PEM, to trust. Throws `CommandError` if there are none. */
export async function readCa(file: string, flag: string, options?: ReadOptions): Promise<string> {
  const pem = await readText(file, options);
  const problem = certificatesProblem(pem);
  if (problem !== null) throw new CommandError(`Cannot use ${file} for ${flag}: ${problem}`);
  return pem;
}

/** What changes when a file does; read before the file, it misses nothing. Never rejects. */
export async function stampOf(file: string): Promise<string> {
  try {
    // Not at once, for all else would wait for a file system that does not answer.
    const { isFile, mtime, size, ino } = await Deno.stat(file);
    // A pipe that is written to can't be read again for that.
    if (!isFile) return "no file";
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return "gone";
  }
}

/** `stampOf` each. */
export async function stampsOf(files: Iterable<string>): Promise<Map<string, string>> {
  return new Map(
    await Promise.all([...files].map(async (file) => [file, await stampOf(file)] as const)),
  );
}

/** Why a file can't be had, in the words of people. */
export function shortReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "a file stands where a directory must be";
  return messageOf(error);
}
