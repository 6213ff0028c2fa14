import assert from "node:assert/strict";
import type { OfferRequest } from "../../src/ingress/offer.ts";
import {
  acceptedFields,
  ipOf,
  requestFields,
  type RequestRules,
  responseFields,
  type ResponseRules,
  upgradeFields,
} from "../../src/proxy/headers.ts";
import { type Field, getField, getFields } from "../../src/protocol/wire/field.ts";
import { request } from "./forward_support.ts";

const ROWS: [remote: string, want: string][] = [
  ["192.0.2.7:50000", "192.0.2.7"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  // The connection was gone before its address was asked for.
  ["unknown", "unknown"],
];

for (const [remote, want] of ROWS) {
  Deno.test(`upgradeFields: X-Forwarded-For of ${remote} is ${want}`, () => {
    const fields = upgradeFields(
      request({
        http: "3",
        method: "CONNECT",
        remote,
        fields: [["x-forwarded-for", "203.0.113.1"]],
      }),
    );
    assert.equal(getField(fields, "x-forwarded-for"), want);
    assert.equal(ipOf(remote), want);
  });
}

const TRUSTED: RequestRules = { trustedProxies: (ip) => ip === "192.0.2.7" };

interface Row {
  name: string;
  init: Partial<OfferRequest>;
  rules?: RequestRules;
  /** Each of these has these values. */
  want: Record<string, string[]>;
}

const SPOOFED: Field[] = [
  ["x-forwarded-for", "6.6.6.6"],
  ["x-forwarded-proto", "gopher"],
  ["x-forwarded-host", "evil.example"],
  ["x-forwarded-port", "1"],
  ["x-forwarded-prefix", "/evil"],
  ["x-real-ip", "6.6.6.6"],
  ["forwarded", "for=6.6.6.6"],
  ["x_forwarded_for", "6.6.6.6"],
  ["x_real_ip", "6.6.6.6"],
];

const REQUESTS: Row[] = [
  {
    name: "who the client is",
    init: {},
    want: {
      host: ["a.example"],
      "x-forwarded-for": ["192.0.2.7"],
      "x-forwarded-proto": ["https"],
      "x-forwarded-host": ["a.example"],
      "x-forwarded-port": ["443"],
      forwarded: ["for=192.0.2.7;host=a.example;proto=https"],
      via: ["2 h3ws"],
    },
  },
  {
    name: "an IPv6 client, another port, and no TLS",
    init: { remote: "[2001:db8::1]:9", authority: "a.example:8080", scheme: "http", http: "1.1" },
    want: {
      "x-forwarded-for": ["2001:db8::1"],
      "x-forwarded-proto": ["http"],
      "x-forwarded-port": ["8080"],
      forwarded: ['for="[2001:db8::1]";host="a.example:8080";proto=http'],
      via: ["1.1 h3ws"],
    },
  },
  {
    name: "port 80 without TLS",
    init: { scheme: "http" },
    want: { "x-forwarded-port": ["80"] },
  },
  {
    name: "an IPv6 host is no port",
    init: { authority: "[2001:db8::2]" },
    want: { "x-forwarded-port": ["443"] },
  },
  {
    name: "what anybody says of itself is overwritten",
    init: { fields: SPOOFED },
    want: {
      "x-forwarded-for": ["192.0.2.7"],
      "x-forwarded-proto": ["https"],
      "x-forwarded-host": ["a.example"],
      "x-forwarded-port": ["443"],
      "x-forwarded-prefix": [],
      "x-real-ip": [],
      forwarded: ["for=192.0.2.7;host=a.example;proto=https"],
      "x_forwarded_for": [],
      "x_real_ip": [],
    },
  },
  {
    name: "what a trusted proxy says is added to",
    init: { fields: SPOOFED },
    rules: TRUSTED,
    want: {
      "x-forwarded-for": ["6.6.6.6, 192.0.2.7"],
      "x-forwarded-proto": ["gopher"],
      "x-forwarded-host": ["evil.example"],
      "x-forwarded-port": ["1"],
      "x-forwarded-prefix": ["/evil"],
      "x-real-ip": ["6.6.6.6"],
      forwarded: ["for=6.6.6.6, for=192.0.2.7;host=a.example;proto=https"],
      "x_forwarded_for": [],
    },
  },
  {
    name: "several fields of a trusted proxy are one list",
    init: { fields: [["x-forwarded-for", "1.1.1.1, 2.2.2.2"], ["x-forwarded-for", "2001:db8::9"]] },
    rules: TRUSTED,
    want: {
      "x-forwarded-for": ["1.1.1.1, 2.2.2.2, 2001:db8::9, 192.0.2.7"],
      // RFC 7239 §7.4.
      forwarded: [
        'for=1.1.1.1, for=2.2.2.2, for="[2001:db8::9]", for=192.0.2.7;host=a.example;proto=https',
      ],
    },
  },
  {
    name: "Connection can't take away what a trusted proxy says",
    init: { fields: [["connection", "x-forwarded-for"], ["x-forwarded-for", "1.1.1.1"]] },
    rules: TRUSTED,
    want: { "x-forwarded-for": ["1.1.1.1, 192.0.2.7"] },
  },
  {
    name: "a proxy that is not trusted",
    init: { remote: "192.0.2.8:1", fields: SPOOFED },
    rules: TRUSTED,
    want: { "x-forwarded-for": ["192.0.2.8"] },
  },
  {
    name: "without Forwarded",
    init: { fields: SPOOFED },
    rules: { forwarded: false },
    want: { forwarded: [] },
  },
  { name: "Host is set", init: {}, rules: { host: "b.example" }, want: { host: ["b.example"] } },
  {
    name: "Host of the fields does not count",
    init: { fields: [["host", "evil.example"]] },
    want: { host: ["a.example"] },
  },
  {
    name: "RFC 9110 §7.6.1: what is for one hop is gone",
    init: {
      fields: [
        ["connection", "keep-alive, X-Hop"],
        ["x-hop", "1"],
        ["keep-alive", "timeout=5"],
        ["proxy-connection", "close"],
        ["proxy-authorization", "Basic x"],
        ["transfer-encoding", "chunked"],
        ["upgrade", "h2c"],
        ["http2-settings", "x"],
        ["te", "gzip"],
        ["x-end", "2"],
      ],
    },
    want: {
      connection: [],
      "x-hop": [],
      "keep-alive": [],
      "proxy-connection": [],
      "proxy-authorization": [],
      "transfer-encoding": [],
      upgrade: [],
      "http2-settings": [],
      te: [],
      "x-end": ["2"],
    },
  },
  {
    name: "TE: trailers is said again, for this hop",
    init: { fields: [["te", "gzip, trailers"]] },
    want: { te: ["trailers"] },
  },
  {
    name: "RFC 9110 §7.6.3: Via has all hops",
    init: { fields: [["via", "1.0 fred"], ["via", "1.1 p.example"]], http: "3" },
    want: { via: ["1.0 fred, 1.1 p.example, 3 h3ws"] },
  },
  {
    name: "RFC 9110 §7.6.2: Max-Forwards counts down",
    init: { method: "OPTIONS", fields: [["max-forwards", "10"]] },
    want: { "max-forwards": ["9"] },
  },
  {
    name: "RFC 9110 §7.6.2: but for TRACE and OPTIONS alone",
    init: { method: "GET", fields: [["max-forwards", "10"]] },
    want: { "max-forwards": ["10"] },
  },
  {
    name: "rules: removed, then set",
    init: { fields: [["cookie", "a"], ["x-a", "1"], ["x-a", "2"]] },
    rules: { remove: new Set(["cookie", "via"]), set: [["x-a", "3"], ["x-b", "4"]] },
    want: { cookie: [], via: [], "x-a": ["3"], "x-b": ["4"] },
  },
];

for (const { name, init, rules, want } of REQUESTS) {
  Deno.test(`requestFields: ${name}`, () => {
    const fields = requestFields(request(init), rules);
    for (const [field, values] of Object.entries(want)) {
      assert.deepEqual(getFields(fields, field), values, field);
    }
  });
}

Deno.test("upgradeFields: neither Host nor what is of the handshake", () => {
  const names = ["sec-websocket-key", "sec-websocket-version", "expect", "trailer", "te"];
  const fields = upgradeFields(
    request({ fields: [...names.map((name): Field => [name, "x"]), ["origin", "o"]] }),
  );
  for (const name of ["host", "forwarded", ...names]) {
    assert.equal(getField(fields, name), null, name);
  }
  assert.equal(getField(fields, "origin"), "o");
});

const ANSWERS: { name: string; fields: Field[]; rules?: ResponseRules; want: Field[] }[] = [
  {
    name: "end to end, with Via",
    fields: [
      ["connection", "close, x-hop"],
      ["x-hop", "1"],
      ["transfer-encoding", "chunked"],
      ["keep-alive", "timeout=5"],
      ["content-length", "5"],
      ["via", "1.0 fred"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ],
    want: [
      ["content-length", "5"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["via", "1.0 fred, 1.1 h3ws"],
    ],
  },
  {
    name: "Alt-Svc of the backend stays",
    fields: [["alt-svc", "x"]],
    want: [["alt-svc", "x"], ["via", "1.1 h3ws"]],
  },
  {
    name: "Alt-Svc is set",
    fields: [["alt-svc", "x"]],
    rules: { altSvc: 'h3=":443"; ma=86400' },
    want: [["via", "1.1 h3ws"], ["alt-svc", 'h3=":443"; ma=86400']],
  },
  {
    name: "Alt-Svc is taken away",
    fields: [["alt-svc", "x"]],
    rules: { altSvc: null },
    want: [["via", "1.1 h3ws"]],
  },
  {
    name: "rules: removed, then set",
    fields: [["server", "x"], ["x-a", "1"]],
    rules: { remove: new Set(["server"]), set: [["x-a", "2"]] },
    want: [["via", "1.1 h3ws"], ["x-a", "2"]],
  },
];

for (const { name, fields, rules, want } of ANSWERS) {
  Deno.test(`responseFields: ${name}`, () => {
    assert.deepEqual(responseFields(fields, rules), want);
  });
}

Deno.test("acceptedFields: the accept is the client's, and a tunnel has no length", () => {
  const fields: Field[] = [
    ["upgrade", "websocket"],
    ["connection", "upgrade"],
    ["sec-websocket-accept", "backend"],
    ["sec-websocket-protocol", "chat"],
    ["content-length", "0"],
  ];
  assert.deepEqual(acceptedFields(fields, "client"), [
    ["sec-websocket-protocol", "chat"],
    ["via", "1.1 h3ws"],
    ["sec-websocket-accept", "client"],
  ]);
  assert.equal(getField(acceptedFields(fields, null), "sec-websocket-accept"), null);
});
