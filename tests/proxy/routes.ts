// Routes and requests for tests, with what a test does not say filled in.
import type { OfferRequest } from "../../src/ingress/offer.ts";
import type { BackendTarget } from "../../src/proxy/backend.ts";
import type { Route, RouteConditions } from "../../src/proxy/route.ts";

/** A backend at a port of 127.0.0.1. */
export function targetAt(port: number): BackendTarget {
  return {
    dial: { hostname: "127.0.0.1", port },
    url: `ws://127.0.0.1:${port}`,
    host: null,
    path: null,
    maxHeaderBytes: 16 * 1024,
  };
}

export function routeFor(
  name: string,
  match: Partial<RouteConditions> = {},
  rest: Partial<Route> = {},
): Route {
  return {
    name,
    enabled: true,
    match: { hosts: [], path: null, headers: [], methods: [], ...match },
    backends: [targetAt(1)],
    balance: "round-robin",
    health: {},
    limits: {},
    allowedOrigins: null,
    upgrades: ["*"],
    headers: { request: { set: {}, remove: [] }, response: { set: {}, remove: [] } },
    keepHost: true,
    ...rest,
  };
}

export function requestFor(given: Partial<OfferRequest> = {}): OfferRequest {
  return {
    http: "3",
    method: "CONNECT",
    protocol: "websocket",
    scheme: "https",
    authority: "a.example",
    path: "/",
    fields: [],
    remote: "192.0.2.1:5000",
    ...given,
  };
}
