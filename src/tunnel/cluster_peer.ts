import type { Agent } from "./agents.ts";
import type { Presence } from "./cluster_message.ts";
import type { MuxLink } from "./mux_link.ts";
import type { PortClaims } from "./open_ports.ts";

/** What the names of its groups take together at most, in characters; those above are left out. */
const MAX_CHARS = 1_000_000;
/** The least that a name counts for. */
const MIN_CHARS = 8;

const NO_PORTS: PortClaims = { refused: [], hold: () => {}, release: () => {} };

/** Another gateway, as this one knows it. */
export class ClusterPeer {
  readonly #id: string;
  readonly #connect: () => MuxLink;
  readonly #sinceMs = Date.now();
  #groups: ReadonlySet<string> = new Set();
  /** Those that are being told, until the last part has come. */
  #coming = new Set<string>();
  #comingChars = 0;
  #heardMs = performance.now();
  #heartbeatMs = Infinity;
  #link: MuxLink | null = null;

  /** `connect` is called when there is something to be passed on. */
  constructor(id: string, connect: () => MuxLink) {
    this.#id = id;
    this.#connect = connect;
  }

  /** Those that have agents there. */
  get groups(): ReadonlySet<string> {
    return this.#groups;
  }

  /** It said so. */
  take({ groups, more, heartbeatMs }: Presence): void {
    this.heard();
    this.#heartbeatMs = heartbeatMs;
    for (const group of groups) this.#add(group);
    if (more) return;
    this.#groups = this.#coming;
    this.#coming = new Set();
    this.#comingChars = 0;
  }

  #add(group: string): void {
    if (this.#coming.has(group)) return;
    this.#comingChars += MIN_CHARS + group.length;
    if (this.#comingChars <= MAX_CHARS) this.#coming.add(group);
  }

  heard(): void {
    this.#heardMs = performance.now();
  }

  /** Whether it should have said something long ago. */
  get isSilent(): boolean {
    return performance.now() - this.#heardMs > 3 * this.#heartbeatMs;
  }

  /** It stands for all agents of a group that are there. */
  agent(group: string): Agent {
    return {
      ...{ id: `gateway ${this.#id}`, group, user: "", remote: "nats" },
      ...{
        link: this.#link ??= this.#linked(),
        maxStreams: Infinity,
        sinceMs: this.#sinceMs,
        ports: NO_PORTS,
      },
    };
  }

  #linked(): MuxLink {
    const link = this.#connect();
    void link.over.then(() => this.#link = null);
    return link;
  }
}
