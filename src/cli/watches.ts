import type { CertFiles } from "../config/file.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { Log } from "../observe/log.ts";
import type { BackendTarget } from "../proxy/backend.ts";
import type { Proxy } from "../proxy/options.ts";
import type { ConfigWatch } from "./config_watch.ts";
import type { Watched } from "./file_watches.ts";
import { FileWatch, type FileWatchOptions } from "./file_watch.ts";
import { certificatesProblem } from "./pem.ts";
import { onHangup } from "./signals.ts";

/** A file of certificates to trust, and what it held. */
export interface CaFile {
  readonly file: string;
  readonly pem: string;
}

/** What a proxy runs with that stands in files. */
export interface WatchedFiles {
  /** That of `--cert` and `--key` first. */
  readonly certificates: readonly (CertFiles & CertificatePair)[];
  readonly clientCa: CaFile | null;
  /** Of `backend`; those of routes are the config's. */
  readonly backendCa: CaFile | null;
  /** Others, of the gateway beside it. */
  readonly others?: readonly Watched[];
}

export interface WatchesOptions {
  readonly proxy: Proxy;
  readonly log: Log;
  /** Where sessions go, if there are no routes. */
  readonly backend: BackendTarget;
  /** `null` where there is no configuration file. */
  readonly config: ConfigWatch | null;
  /** Takes the first pair, too. */
  readonly gateway?: { reload(pair: CertificatePair): void } | null;
}

/** Has a proxy use what its files hold: soon after they change, and at once on SIGHUP. */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #watches: readonly FileWatch[];
  readonly #files: readonly string[];
  readonly #release: () => void;
  #pairs: readonly CertificatePair[];
  /** Lines that were logged. */
  #lines = 0;
  #rereading: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(files: WatchedFiles, options: WatchesOptions) {
    this.#options = options;
    const { certificates, clientCa, backendCa, others = [] } = files;
    this.#pairs = certificates;
    this.#watches = [
      ...certificates.map((pair, i) => this.#watchPair(pair, i)),
      ...(clientCa === null ? [] : [this.#watchClientCa(clientCa)]),
      ...(backendCa === null ? [] : [this.#watchBackendCa(backendCa)]),
      ...others.map(({ current, ...options }) => this.#watch(options, current)),
    ];
    this.#files = [
      ...certificates.flatMap(({ certFile, keyFile }) => [certFile, keyFile]),
      ...[clientCa, backendCa].flatMap((ca) => ca?.file ?? []),
      ...others.flatMap(({ files }) => files),
    ];
    const asked = () => {
      if (!this.#stopped) this.#rereading = this.#rereading.then(() => this.#reread());
    };
    this.#release = onHangup({ asked });
  }

  /** Each pair is read again when it changes; the others stay as they are. */
  #watchPair({ certFile, keyFile, certPem, keyPem }: CertFiles & CertificatePair, i: number) {
    const { proxy, gateway, log } = this.#options;
    return this.#watch({
      files: [certFile, keyFile],
      subject: `${certFile} with ${keyFile}`,
      old: "the old pair",
      onChange: ([certPem, keyPem]) => {
        const next = this.#pairs.with(i, { certPem, keyPem });
        const [first, ...others] = next;
        proxy.reload(first.certPem, first.keyPem, others);
        if (i === 0) gateway?.reload(first);
        this.#pairs = next;
      },
      onReloaded: () => log.info("cert.reloaded", { cert: certFile, key: keyFile }),
      onError: (message) => log.warning("cert.error", { message }),
    }, [certPem, keyPem]);
  }

  #watchClientCa(ca: CaFile): FileWatch {
    return this.#watchCa("client-ca", ca, (pem) => this.#options.proxy.reloadClientCa(pem));
  }

  /** Whoever is dialled next must have a certificate of these. */
  #watchBackendCa(ca: CaFile): FileWatch {
    return this.#watchCa("backend-ca", ca, (pem) => {
      const { tls } = this.#options.backend.dial;
      if (tls !== undefined) tls.caCerts = [pem];
    });
  }

  #watchCa(flag: string, { file, pem }: CaFile, use: (pem: string) => void): FileWatch {
    const { log } = this.#options;
    return this.#watch({
      files: [file],
      subject: `${file} for --${flag}`,
      old: "the old one",
      onChange: ([pem]) => {
        const problem = certificatesProblem(pem);
        if (problem !== null) throw new Error(problem);
        use(pem);
      },
      onReloaded: () => log.info("ca.reloaded", { flag, file }),
      onError: (message) => log.warning("ca.error", { message }),
    }, [pem]);
  }

  #watch(
    { onReloaded, onError, ...options }: FileWatchOptions,
    current: readonly string[],
  ): FileWatch {
    return new FileWatch({
      ...options,
      onReloaded: () => {
        this.#lines++;
        onReloaded();
      },
      onError: (message) => {
        this.#lines++;
        onError(message);
      },
    }, current);
  }

  /** Never rejects. Where nothing else is to be told, it is told that nothing is. */
  async #reread(): Promise<void> {
    const { config, log } = this.#options;
    const before = this.#lines;
    for (const watch of this.#watches) await watch.check(true);
    if (this.#stopped) return;
    if (config !== null) await config.reload();
    else if (this.#lines === before && this.#files.length > 0) {
      log.info("files.unchanged", { files: this.#files.join(", ") });
    }
  }

  /**
   * Nothing is reloaded from now on, whatever is being read. A SIGHUP does nothing, and ends nothing
   * until `release`.
   */
  stop(): void {
    this.#stopped = true;
    // Nobody waits: a pipe or a file system that is gone may hold a read for ever.
    for (const watch of this.#watches) void watch.stop();
    void this.#options.config?.stop();
  }

  /** A SIGHUP ends the process again. */
  release(): void {
    this.#release();
  }
}
