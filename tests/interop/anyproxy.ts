// Agents and gateways of AnyProxy in Python and Go, written from its document alone, each in a
// process of its own: tests/interop/anyproxy_agent.py, anyproxy_gateway.py and anyproxy/.
import { testCertificates } from "../support/proxy.ts";
import { type PeerEvent, type PeerOptions, PeerProcess } from "./peer_process.ts";
import { peerTests } from "./peers.ts";

/** What such a program tells; the other fields are those of the one event. */
export type AnyproxyEvent = PeerEvent & Readonly<Record<string, unknown>>;

/** How an agent is started. */
export interface AnyproxyAgent {
  /** Of the gateway, at localhost. */
  readonly port: number;
  readonly password?: string;
  /** A host that it refuses. */
  readonly forbid?: string;
}

/** What agents and gateways of tests know. */
const USERNAME = "ann";
const PASSWORD = "secret";
const PING_S = 0.2;

type Options = Readonly<Record<string, string | number>>;

/** How the programs of one language are started. */
export interface Language {
  readonly name: string;
  readonly test: ReturnType<typeof peerTests>;
  program(peer: string, part: "agent" | "gateway", options: Options): PeerOptions;
}

/** All languages that there are programs in. */
export const LANGUAGES: readonly Language[] = [
  {
    name: "Python",
    test: peerTests("H3WS_PYTHON"),
    program: (python, part, options) => ({
      ...{ name: `an ${part} in Python`, python, program: `anyproxy_${part}.py` },
      args: [JSON.stringify(options)],
    }),
  },
  {
    name: "Go",
    test: peerTests("H3WS_ANYPROXY"),
    program: (executable, part, { ping_s, ...options }) => ({
      ...{ name: `an ${part} in Go`, executable },
      args: [
        part,
        ...Object.entries(options).map(([key, value]) => `-${key.replace("_", "-")}=${value}`),
        ...(ping_s === undefined ? [] : [`-ping=${ping_s}s`]),
      ],
    }),
  },
];

/** One such program. */
export class Anyproxy implements AsyncDisposable {
  readonly #process: PeerProcess<AnyproxyEvent>;

  private constructor(process: PeerProcess<AnyproxyEvent>) {
    this.#process = process;
  }

  static async agent(
    language: Language,
    peer: string,
    { port, password = PASSWORD, forbid = "" }: AnyproxyAgent,
  ): Promise<Anyproxy> {
    const { caPem } = await testCertificates();
    const program = language.program(peer, "agent", {
      ...{ url: `wss://localhost:${port}/ws`, ca: "ca.pem", username: USERNAME },
      ...{ password, client_id: "stranger", ping_s: PING_S, forbid },
    });
    return new Anyproxy(await PeerProcess.spawn({ ...program, files: { "ca.pem": caPem } }));
  }

  static async gateway(language: Language, peer: string): Promise<Anyproxy> {
    const { certPem, keyPem } = await testCertificates();
    const program = language.program(peer, "gateway", {
      ...{ cert: "cert.pem", key: "key.pem", username: USERNAME, password: PASSWORD },
    });
    const files = { "cert.pem": certPem, "key.pem": keyPem };
    return new Anyproxy(await PeerProcess.spawn({ ...program, files }));
  }

  /** The next event of this name that was not taken yet. */
  event(name: string): Promise<AnyproxyEvent> {
    return this.#process.event(`"${name}"`, ({ event }) => event === name);
  }

  /** Ends it at once. */
  kill(): void {
    this.#process.kill();
  }

  /** From now on it does nothing. */
  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
