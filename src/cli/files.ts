import { messageOf } from "../net/error.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { CommandError } from "./command.ts";
import { certificatesProblem } from "./pem.ts";

/** The text of a file. Throws `CommandError` that says which one could not be read and why. */
export async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new CommandError(`Cannot read ${file}: ${shortReason(error)}`, { cause: error });
  }
}

/** Reads both files. Throws `CommandError` that says which one could not be read and why. */
export async function readCertPair(certFile: string, keyFile: string): Promise<CertificatePair> {
  // One after the other: where both are missing, it is always the first that is told of.
  const certPem = await readText(certFile);
  return { certPem, keyPem: await readText(keyFile) };
}

/** The certificates of a file in PEM, to trust. Throws `CommandError` if there are none. */
export async function readCa(file: string, flag: string): Promise<string> {
  const pem = await readText(file);
  const problem = certificatesProblem(pem);
  if (problem !== null) throw new CommandError(`Cannot use ${file} for ${flag}: ${problem}`);
  return pem;
}

/** What changes when a file does; read before the file, it misses nothing. */
export function stampOf(file: string): string {
  try {
    const { isFile, mtime, size, ino } = Deno.statSync(file);
    // A pipe that is written to can't be read again for that.
    if (!isFile) return "no file";
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return "gone";
  }
}

/** Why a file can't be had, in the words of people. */
export function shortReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "a file stands where a directory must be";
  return messageOf(error);
}
