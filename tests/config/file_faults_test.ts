import assert from "node:assert/strict";
import fc from "fast-check";
import { faultLine, type FileFault } from "../../src/config/file.ts";
import { nearestName } from "../../src/config/file_fault.ts";
import { linesFor } from "./file_lines.ts";

const SIZE = "allowed: bytes, or a number with KiB, MiB, GiB (64KiB, 1MiB)";
const DURATION = "allowed: 0, or numbers with h, m, s, ms (120s, 1m30s, 500ms)";
const BACKEND =
  "allowed: ws://host:port, wss://host/path (or http, https), ws+unix:/path.sock:/path, or " +
  "agent://group/host:port (agent+tls), without user, query and fragment";

const FORM: [text: string, ...want: string[]][] = [
  ["a: [", "1:5: flow sequence in block collection must be sufficiently indented and end with a ]"],
  ["listen: a: b\n", "1:9: nested mappings are not allowed in compact mappings"],
  ["debug: true\ndebug: true\n", '2:1: "debug" is there twice'],
  [
    "log:\n  level: info\n  level: debug\nkey: a\nkey: b\n",
    '3:3: "level" is there twice',
    '5:1: "key" is there twice',
  ],
  ["key: !foo x\n", "1:6: unresolved tag: !foo"],
  ["key: *nothing\n", '1:6: "*nothing" is an alias of nothing before it'],
  ["log: &l { level: *l }\n", '1:18: "*l" is an alias of what it stands in'],
  ["log: { <<: 1 }\n", '1:8: "<<" merges what is no map'],
  ["x-a: &a [1]\nlog: { <<: *a }\n", '2:8: "<<" merges what is no map'],
  ["log: { [a]: 1 }\n", "1:8: a key must be a text"],
  ["? { a: b }\n: c\n", "1:3: a key must be a text"],
  ["key: a\n---\nkey: b\n", "2:1: a second document begins; there must be one"],
  ["log:\n\tlevel: info\n", "2:1: tabs are not allowed as indentation"],
  ["- a\n", "1:1: is a list; allowed: a map"],
  ["text\n", '1:1: "text" is a text; allowed: a map'],
  ["{".repeat(20_000), "1:1: is nested too deeply"],
];

Deno.test("file faults: what is no YAML, or more than that", () => {
  for (const [text, ...want] of FORM) {
    const lines = linesFor(text);
    if (text.length < 1000) assert.deepEqual(lines, want, text);
    else assert.match(lines[0], /^1:\d+: is nested too deeply$/);
  }
});

Deno.test("file faults: aliases of aliases of aliases", () => {
  let text = "x-0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (let i = 1; i < 9; i++) {
    text += `x-${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(",")}]\n`;
  }
  assert.deepEqual(linesFor(text), ["1:1: its aliases stand for too much"]);
});

const VALUES: [text: string, ...want: string[]][] = [
  ["max-frame: 12xx\n", `1:12: max-frame: "12xx" is not a size; ${SIZE}`],
  ["max-frame: 0\n", '1:12: max-frame: "0" is out of range; allowed: 1 or more'],
  ["read-timeout: 10\n", `1:15: read-timeout: "10" is not a duration; ${DURATION}`],
  ["read-timeout:\n", `1:1: read-timeout: is empty; ${DURATION}`],
  ["read-timeout: { a: 1 }\n", `1:15: read-timeout: is a map; ${DURATION}`],
  ["debug: maybe\n", '1:8: debug: "maybe" is neither true nor false; allowed: true or false'],
  [
    "log: { level: loud }\n",
    '1:15: log.level: "loud" is not known; allowed: debug, info, warning, error, off',
  ],
  ["log: debug\n", '1:6: log: "debug" is a text; allowed: a map'],
  ["routes: {}\n", "1:9: routes: is a map; allowed: a list"],
  ["routes:\n", "1:1: routes: is empty; allowed: a list"],
  [
    "certificates: [{ cert: a }]\n",
    "1:16: certificates[0].key: is missing; allowed: the path of a file",
  ],
  ["backend: ftp://a\n", `1:10: backend: "ftp://a" is not a backend; ${BACKEND}`],
  [
    'trusted-proxies: [10.0.0.0/8, "x"]\n',
    '1:18: trusted-proxies: holds "x", which is no address or range; allowed: IP addresses and ' +
    "ranges, with commas between them (10.0.0.0/8, ::1, fd00::/8), and the words private and " +
    "loopback; empty for none",
  ],
  [
    "cmux: { allow-ports: [0] }\n",
    '1:23: cmux.allow-ports[0]: "0" is no port and no range; allowed: ports and ranges of ports ' +
    "(8080, 3000-3999)",
  ],
  [
    "cmux: { map: { web: 80 } }\n",
    '1:14: cmux.map: has "web": 80, which can\'t be used; allowed: the name of a container or a ' +
    "workspace, a dot, and its port (web.8080)",
  ],
];

Deno.test("file faults: a value that can't be used has its place, its key, itself and what would do", () => {
  for (const [text, ...want] of VALUES) assert.deepEqual(linesFor(text), want, text);
});

const KEYS: [text: string, ...want: string[]][] = [
  ["lisen: x\n", "1:1: lisen: is not known; did you mean listen?"],
  ["max_frame: 1\n", "1:1: max_frame: is not known; did you mean max-frame?"],
  ["Listen: x\n", "1:1: Listen: is not known; did you mean listen?"],
  ["zzzzzzzzz: x\n", "1:1: zzzzzzzzz: is not known; allowed: what h3ws schema tells"],
  ["log: { levle: info }\n", "1:8: log.levle: is not known; did you mean level?"],
  ["log: { colour: red }\n", "1:8: log.colour: is not known; allowed: level, format"],
  [
    "x-l: &l { max-mesage: 1 }\nbackend: ws://a\nroutes: [{ limits: *l }]\n",
    "1:11: routes[0].limits.max-mesage: is not known; did you mean max-message?",
  ],
  ["1: x\n", "1:1: 1: is not known; allowed: what h3ws schema tells"],
];

Deno.test("file faults: a key that is not known, with the one that was meant", () => {
  for (const [text, ...want] of KEYS) assert.deepEqual(linesFor(text), want, text);
});

Deno.test("file faults: what must or must not stand together", () => {
  const cases: [text: string, ...want: string[]][] = [
    [
      "routes:\n  - name: a\n",
      "2:5: routes[0]: has no backend; allowed: backend or backends in the route, or one backend " +
      "for all at the top",
    ],
    [
      "log: { level: info }\nlog-level: debug\n",
      "1:8: log.level: stands at the top already, as log-level",
    ],
    [
      "cert: a\ncertificates: []\n",
      "1:1: cert: can't stand beside certificates",
    ],
    [
      "path: /ws\nbackend: ws://a\nroutes: []\n",
      "1:1: path: can't stand beside routes, which have their own",
    ],
    ["backend: ws://a\nroutes: [{ enabled: false }, {}]\n"],
  ];
  for (const [text, ...want] of cases) assert.deepEqual(linesFor(text), want, text);
});

Deno.test("file faults: variables", () => {
  const cases: [text: string, ...want: string[]][] = [
    ["key: ${NONE}\n", '1:6: key: "${NONE}" is not set'],
    ["max-frame: ${NONE}\n", '1:12: max-frame: "${NONE}" is not set'],
    ["key: ${a b}\n", '1:6: key: "${a b}" is no variable'],
    ["key: ${\n", '1:6: key: "${" is no variable'],
    [
      "backend: ws://a\nroutes:\n  - match: { host: ['a', '${X}${Y}'] }\n",
      '3:26: routes[0].match.host[1]: "${X}" is not set',
      '3:26: routes[0].match.host[1]: "${Y}" is not set',
    ],
    ["max-frame: ${BAD}\n", `1:12: max-frame: "12xx" is not a size; ${SIZE}`],
    // Names of keys are no texts, and comments say nothing.
    ["# ${NONE}\n${NONE}: 1\n", "2:1: ${NONE}: is not known; allowed: what h3ws schema tells"],
  ];
  for (const [text, ...want] of cases) {
    assert.deepEqual(linesFor(text, { BAD: "12xx" }), want, text);
  }
});

Deno.test("file faults: all of them at once, in the order of the file", () => {
  const text = `listen: nowhere
max-frame: 12xx
routes:
  - name: a
    match: { path: /a, prefx: /b }
    limits:
      max-frame: big
  - backends: [ftp://x]
lisen: 1
`;
  assert.deepEqual(linesFor(text).map((line) => line.split(": ").slice(0, 2).join(" ")), [
    "1:9 listen",
    "2:12 max-frame",
    "4:5 routes[0]",
    "5:24 routes[0].match.prefx",
    "7:18 routes[0].limits.max-frame",
    "8:16 routes[1].backends[0]",
    "9:1 lisen",
  ]);
});

Deno.test("file faults: control characters and long values stay on one line", () => {
  const [line, ...more] = linesFor(`max-frame: "a\\nb\\e${"x".repeat(5000)}"\n`);
  assert.deepEqual(more, []);
  assert.ok(line.startsWith('1:12: max-frame: "a\\u000ab\\u001bxxx') && line.length < 400, line);
  const fault: FileFault = {
    ...{ file: "f", line: 1, column: 2, key: "", value: null, problem: "is bad", allowed: null },
  };
  assert.equal(faultLine(fault), "f:1:2: is bad");
});

Deno.test("file faults: the nearest name", () => {
  const known = ["listen", "max-frame", "max-message", "key"];
  const cases: [name: string, want: string | undefined][] = [
    ["listem", "listen"],
    ["max_message", "max-message"],
    ["maxframe", "max-frame"],
    ["kye", "key"],
    ["k", undefined],
    ["keys", "key"],
    ["something", undefined],
  ];
  for (const [name, want] of cases) assert.equal(nearestName(name, known), want, name);
});

const WHOLE = `listen: ":8443"
x-l: &l { max-frame: 1KiB }
log: { level: info }
certificates: [{ cert: a.pem, key: b.pem }]
trusted-proxies: [10.0.0.0/8]
defaults: { limits: *l, headers: { request: { set: { x-a: "1" }, remove: [cookie] } } }
routes:
  - name: chat
    match: { host: [a.example], path: '^/rooms/[^/]+$', headers: [{ name: x, regexp: a+ }] }
    backends: [ws://127.0.0.1:1, "ws://127.0.0.1:\${PORT:-2}"]
    balance: { hash: { cookie: sid } }
    health: { active: { kind: get }, passive: { for: 1s } }
    limits: { <<: *l, max-conns: 5 }
  - match: { prefix: /api, strip: true }
    backend: wss://b.example
cmux: { allow-ports: [3000-3999], map: { web.80: 8080 } }
`;

const PIECES = [
  "\n",
  "  ",
  "- ",
  ": ",
  "{",
  "}",
  "[",
  "]",
  "*l",
  "&l ",
  "<<: ",
  "'",
  '"',
  "|\n",
  "!!map ",
]
  .concat([
    "${",
    "${X}",
    "~",
    "null",
    "1e9",
    "__proto__",
    "constructor: ",
    "? ",
    "#",
    "\t",
    "\u0000",
    "^(",
  ]);

Deno.test("file faults: whatever is done to a file, it is right or told what is wrong with it", () => {
  assert.deepEqual(linesFor(WHOLE), []);
  const change = fc.record({
    at: fc.nat({ max: WHOLE.length }),
    cut: fc.nat({ max: 12 }),
    put: fc.constantFrom("", ...PIECES),
  });
  let wrong = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let text = WHOLE;
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
      const lines = linesFor(text);
      if (lines.length > 0) wrong++;
      for (const line of lines) assert.match(line, /^[1-9]\d*:[1-9]\d*: .+$/);
    }),
    { numRuns: 400 },
  );
  assert.ok(wrong > 100);
});

Deno.test("file faults: names that objects have of themselves are none of the file's", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.match(
      linesFor(`${name}: { listen: x }\n`)[0],
      new RegExp(`^1:1: ${name}: is not known`),
    );
  }
});
