// Agents and gateways of AnyProxy in Python and Go, written from its document alone, each in a
// process of its own: tests/interop/anyproxy_agent.py, anyproxy_gateway.py and anyproxy/.
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { peerTests } from "./peers.ts";

/** What such a program tells; the other fields are those of the one event. */
export interface AnyproxyEvent {
  readonly event: string;
  readonly [key: string]: unknown;
}

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

/** How the programs of one language are started: the executable and its arguments. */
interface Language {
  readonly name: string;
  readonly test: ReturnType<typeof peerTests>;
  agent(peer: string, options: Record<string, string | number>): string[];
  gateway(peer: string, options: Record<string, string | number>): string[];
}

const python = (script: string) => (peer: string, options: Record<string, string | number>) => [
  peer,
  "-u",
  new URL(`./${script}`, import.meta.url).pathname,
  JSON.stringify(options),
];

const go = (part: string) => (peer: string, options: Record<string, string | number>) => [
  peer,
  part,
  ...Object.entries(options).flatMap(([key, value]) =>
    key === "ping_s" ? ["-ping", `${value}s`] : [`-${key.replace("_", "-")}`, String(value)]
  ),
];

/** All languages that there are programs in. */
export const LANGUAGES: readonly Language[] = [
  {
    name: "Python",
    test: peerTests("H3WS_PYTHON"),
    agent: python("anyproxy_agent.py"),
    gateway: python("anyproxy_gateway.py"),
  },
  { name: "Go", test: peerTests("H3WS_ANYPROXY"), agent: go("agent"), gateway: go("gateway") },
];

/** One such program. */
export class Anyproxy implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #reading: Promise<void>;
  readonly #events: AnyproxyEvent[] = [];
  #ended = false;
  #wake = Promise.withResolvers<void>();

  private constructor([executable, ...args]: string[], folder: string) {
    this.#folder = folder;
    this.#child = new Deno.Command(executable, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read();
  }

  static async agent(
    language: Language,
    peer: string,
    { port, password = PASSWORD, forbid = "" }: AnyproxyAgent,
  ): Promise<Anyproxy> {
    const { caPem } = await testCertificates();
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/ca.pem`, caPem);
    const options = {
      ...{ url: `wss://localhost:${port}/ws`, ca: `${folder}/ca.pem`, username: USERNAME },
      ...{ password, client_id: "stranger", ping_s: PING_S, forbid },
    };
    return new Anyproxy(language.agent(peer, options), folder);
  }

  static async gateway(language: Language, peer: string): Promise<Anyproxy> {
    const { certPem, keyPem } = await testCertificates();
    const folder = await Deno.makeTempDir();
    const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await Deno.writeTextFile(cert, certPem);
    await Deno.writeTextFile(key, keyPem);
    const options = { cert, key, username: USERNAME, password: PASSWORD };
    return new Anyproxy(language.gateway(peer, options), folder);
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#events.push(JSON.parse(line));
      this.#woken();
    }
    this.#ended = true;
    this.#woken();
  }

  #woken(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** The next event of this name that was not taken yet. */
  async event(name: string): Promise<AnyproxyEvent> {
    for (;;) {
      const index = this.#events.findIndex(({ event }) => event === name);
      if (index >= 0) return this.#events.splice(index, 1)[0];
      const told = `it told ${JSON.stringify(this.#events)}`;
      if (this.#ended) throw new Error(`It ended without "${name}"; ${told}`);
      await within(`"${name}"; ${told}`, this.#wake.promise);
    }
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It ends by itself with its stdin, unless it has ended already.
    await this.#child.stdin.close().catch(() => {});
    await within("its end", this.#child.status).catch(() => this.kill());
    await this.#reading;
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
