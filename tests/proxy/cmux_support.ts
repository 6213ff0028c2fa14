import assert from "node:assert/strict";
import type { OfferRequest } from "../../src/ingress/offer.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import {
  CMUX_DEFAULTS,
  type CmuxOptions,
  type CmuxRoute,
  resolveCmux,
} from "../../src/proxy/cmux.ts";

export const PORT = "x-cmux-port-internal";
export const WORKSPACE = "x-cmux-workspace-internal";
export const OVERRIDE = "x-cmux-host-override";

export interface Asked {
  authority?: string;
  fields?: Field[];
  method?: string;
  protocol?: string | null;
  remote?: string;
}

export function asked(given: Asked): OfferRequest {
  return {
    http: "1.1",
    method: "GET",
    protocol: null,
    scheme: "http",
    authority: "127.0.0.1:9776",
    path: "/api?a=1",
    fields: [],
    remote: "127.0.0.1:50000",
    ...given,
  };
}

export function resolve(given: Asked, options: Partial<CmuxOptions> = {}): Promise<CmuxRoute> {
  return resolveCmux(asked(given), { ...CMUX_DEFAULTS, ...options });
}

/** "127.18.0.1:3000" for a target, "400 text" for a refusal, else "none". */
export function short(route: CmuxRoute): string {
  if (route.kind === "refused") return `${route.status} ${route.text}`;
  if (route.kind === "none") return "none";
  return route.dial.unixPath ?? `${route.dial.hostname}:${route.dial.port}`;
}

export interface Row extends Asked {
  name: string;
  options?: Partial<CmuxOptions>;
  want: string;
}

/** One test for each row. */
export function routes(title: string, rows: readonly Row[]): void {
  for (const { name, options, want, ...given } of rows) {
    Deno.test(`${title}: ${name}`, async () => {
      assert.equal(short(await resolve(given, options)), want);
    });
  }
}
