import type { OfferRequest } from "../ingress/offer.ts";
import { type CmuxOptions, type CmuxRefused, resolveCmux, withoutCmux } from "./cmux.ts";
import type { BackendTarget } from "./backend.ts";
import { anyRoute } from "./route.ts";
import { LiveRoute, type RoutesOptions } from "./routes.ts";

/** Where a request of a workspace goes, and what its backend may know of it. */
export interface CmuxMatch {
  readonly kind: "route";
  readonly live: LiveRoute;
  readonly request: OfferRequest;
}

type LiveOptions = Pick<RoutesOptions, "defaults" | "sweeper" | "onBackend" | "unreachable">;

/** More are made only for what is in use; the one that was not asked for the longest goes. */
const MAX_LIVE = 1024;

/** The ports of workspaces and containers, each a route that is made when it is asked for. */
export class CmuxRoutes {
  readonly #cmux: CmuxOptions;
  readonly #options: LiveOptions;
  readonly #maxHeaderBytes: number;
  /** By what is dialled and by the Host for it; the one that was asked for last stands last. */
  readonly #live = new Map<string, LiveRoute>();

  constructor(
    cmux: CmuxOptions,
    options: LiveOptions & { maxHeaderBytes: number },
  ) {
    this.#cmux = cmux;
    this.#options = options;
    this.#maxHeaderBytes = options.maxHeaderBytes;
  }

  get live(): Iterable<LiveRoute> {
    return this.#live.values();
  }

  /** `none` for a request that is for no port: its `X-Cmux-*` fields are gone all the same. */
  async match(
    request: OfferRequest,
  ): Promise<CmuxMatch | CmuxRefused | { readonly kind: "none"; readonly request: OfferRequest }> {
    const found = await resolveCmux(request, this.#cmux);
    if (found.kind === "refused") return found;
    if (found.kind === "none") {
      return { kind: "none", request: { ...request, fields: withoutCmux(request.fields) } };
    }
    const { dial, url, host, fields } = found;
    const target = { dial, url, host, path: null, maxHeaderBytes: this.#maxHeaderBytes };
    return { kind: "route", live: this.#routeTo(target), request: { ...request, fields } };
  }

  #routeTo(target: BackendTarget): LiveRoute {
    const key = `${target.url} ${target.host ?? ""}`;
    let live = this.#live.get(key);
    if (live === undefined) {
      live = new LiveRoute(anyRoute(target.url, target, ["*"]), { routes: [], ...this.#options });
      this.#makeRoom();
    } else {
      this.#live.delete(key);
    }
    this.#live.set(key, live);
    return live;
  }

  #makeRoom(): void {
    if (this.#live.size < MAX_LIVE) return;
    for (const [key, live] of this.#live) {
      if (live.upstream.sessions > 0) continue;
      this.#live.delete(key);
      live.stop();
      return;
    }
  }

  stop(): void {
    for (const live of this.#live.values()) live.stop();
    this.#live.clear();
  }
}
