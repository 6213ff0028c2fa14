import type { Agent } from "./agents.ts";
import type { Presence } from "./cluster_message.ts";
import type { MuxLink } from "./mux_link.ts";
import type { PortClaims } from "./open_ports.ts";

const NO_PORTS: PortClaims = { refused: [], hold: () => {}, release: () => {} };

/** Another gateway, as this one knows it. */
export class ClusterPeer {
  readonly #id: string;
  readonly #connect: () => MuxLink;
  readonly #sinceMs = Date.now();
  #groups: ReadonlySet<string> = new Set();
  /** Those that are being told, until the last part has come. */
  #coming: string[] = [];
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
    this.#coming.push(...groups);
    if (more) return;
    this.#groups = new Set(this.#coming);
    this.#coming = [];
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
