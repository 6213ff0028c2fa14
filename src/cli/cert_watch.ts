import { messageOf } from "../net/error.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { readText } from "./files.ts";

export interface CertWatchOptions {
  certFile: string;
  keyFile: string;
  /** Takes the new pair, or throws if it can't be used; then the old one stays. */
  onChange: (pair: CertificatePair) => void;
  onError: (message: string) => void;
  onReloaded: () => void;
  intervalMs?: number;
}

/** Reads both files. Throws `CommandError` that says which one could not be read and why. */
export async function readCertPair(certFile: string, keyFile: string): Promise<CertificatePair> {
  // One after the other: where both are missing, it is always the first that is told of.
  const certPem = await readText(certFile);
  return { certPem, keyPem: await readText(keyFile) };
}

/**
 * Looks at the two files again and again, for a watch of the file system misses what is swapped in
 * by a link or a mount. A pair that is half written is tried again when it changes.
 */
export class CertWatch {
  readonly #options: CertWatchOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #stamp: string;
  /** Told once, until both files can be read again. */
  #lastError = "";
  #busy: Promise<void> | null = null;

  constructor(options: CertWatchOptions, current: CertificatePair) {
    this.#options = options;
    this.#stamp = current.certPem + current.keyPem;
    this.#timer = setInterval(() => {
      this.#busy ??= this.check().finally(() => this.#busy = null);
    }, options.intervalMs ?? 2_000);
  }

  /** Looks now. */
  async check(): Promise<void> {
    const { certFile, keyFile, onChange, onError, onReloaded } = this.#options;
    let pair: CertificatePair;
    try {
      pair = await readCertPair(certFile, keyFile);
    } catch (error) {
      return this.#once(messageOf(error), onError);
    }
    this.#lastError = "";
    const stamp = pair.certPem + pair.keyPem;
    if (stamp === this.#stamp) return;
    try {
      onChange(pair);
      this.#stamp = stamp;
      onReloaded();
    } catch (error) {
      this.#stamp = stamp;
      onError(`Cannot use ${certFile} with ${keyFile}: ${messageOf(error)}; the old pair stays`);
    }
  }

  #once(message: string, tell: (message: string) => void): void {
    if (message === this.#lastError) return;
    this.#lastError = message;
    tell(`${message}; the old pair stays`);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#busy;
  }
}
