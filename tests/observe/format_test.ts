import assert from "node:assert/strict";
import fc from "fast-check";
import { jsonFormatter, textFormatter } from "../../src/observe/format.ts";
import type { LogRecord } from "../../src/observe/log.ts";

const text = textFormatter();

function record(properties: Record<string, unknown>, fields: Partial<LogRecord> = {}): LogRecord {
  return {
    category: ["h3ws"],
    level: "info",
    message: ["ws.open"],
    rawMessage: "ws.open",
    timestamp: Date.UTC(2026, 0, 31, 12),
    properties,
    ...fields,
  };
}

const HEAD = "2026-01-31T12:00:00.000Z INFO  ws.open";

Deno.test("text form: one readable line, without what is null", () => {
  assert.equal(
    text(
      record({ id: 7, path: "/ws?a=b", subprotocol: null, ok: true, ms: 1.5, note: "two words" }),
    ),
    `${HEAD} id=7 path=/ws?a=b ok=true ms=1.5 note="two words"\n`,
  );
});

Deno.test("JSON form: time, level, event, then the fields", () => {
  const line = jsonFormatter(record({ id: 7, path: '/"\\', subprotocol: null, ok: false, x: NaN }));
  assert.equal(line.indexOf("\n"), line.length - 1);
  const value = JSON.parse(line);
  assert.deepEqual(Object.keys(value), [
    "time",
    "level",
    "event",
    "id",
    "path",
    "subprotocol",
    "ok",
    "x",
  ]);
  assert.deepEqual(value, {
    time: "2026-01-31T12:00:00.000Z",
    level: "info",
    event: "ws.open",
    id: 7,
    path: '/"\\',
    subprotocol: null,
    ok: false,
    x: null,
  });
});

Deno.test("control characters in values are escaped", () => {
  const table: { name: string; value: string; want: string }[] = [
    { name: "line feed", value: "/a\nERROR forged", want: '"/a\\nERROR forged"' },
    { name: "carriage return", value: "/a\r", want: '"/a\\r"' },
    { name: "escape sequence", value: "\x1b[2J", want: '"\\u001b[2J"' },
    { name: "8-bit CSI", value: "\x9b2J", want: '"\\u009b2J"' },
    { name: "NUL and DEL", value: "\0\x7f", want: '"\\u0000\\u007f"' },
    { name: "line separator", value: "\u2028\u2029", want: '"\\u2028\\u2029"' },
    { name: "right-to-left override", value: "\u202egnp", want: '"\\u202egnp"' },
    { name: "tag character", value: "\u{e0041}", want: '"\\udb40\\udc41"' },
    { name: "lone surrogate", value: "\ud800", want: '"\\ud800"' },
    { name: "quote and backslash", value: 'a"b\\', want: '"a\\"b\\\\"' },
    { name: "empty", value: "", want: '""' },
    { name: "other scripts stay", value: "žluť 🙂", want: '"žluť 🙂"' },
  ];
  for (const { name, value, want } of table) {
    assert.equal(text(record({ value })), `${HEAD} value=${want}\n`, name);
    const json = jsonFormatter(record({ value }));
    assert.ok(json.includes(`"value":${want}`), `${name}: ${json}`);
    assert.equal(JSON.parse(json).value, value, name);
  }
});

Deno.test("no value makes a second line, and JSON gives every short value back", () => {
  const value = fc.string({ unit: "binary", maxLength: 200 });
  // deno-lint-ignore no-control-regex
  const control = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;
  fc.assert(fc.property(value, value, (a, b) => {
    for (const line of [text(record({ a, b })), jsonFormatter(record({ a, b }))]) {
      assert.ok(line.endsWith("\n"));
      assert.ok(!control.test(line.slice(0, -1)), line);
    }
    const back = JSON.parse(jsonFormatter(record({ a, b })));
    assert.deepEqual([back.a, back.b], [a, b]);
  }));
});

Deno.test("long values are cut", () => {
  const path = "/" + "x".repeat(16 * 1024);
  assert.ok(text(record({ path })).length < 1200);
  assert.ok(jsonFormatter(record({ path })).length < 1200);
});

Deno.test("a stack comes behind the line, indented and escaped", () => {
  const stack = `Error: bad\n${HEAD} forged\x1b[2J\n    at f (a.ts:1:2)`;
  const lines = text(record({ where: "relay", stack }, { level: "error" })).split("\n");
  assert.deepEqual(lines, [
    "2026-01-31T12:00:00.000Z ERROR ws.open where=relay",
    "    Error: bad",
    `    ${HEAD} forged\\u001b[2J`,
    "    at f (a.ts:1:2)",
    "",
  ]);
  assert.equal(JSON.parse(jsonFormatter(record({ stack }))).stack, stack);
});

Deno.test("colours are only in the level and the event", () => {
  const line = textFormatter({ color: true })(record({ path: "/\x1b[31m" }));
  assert.equal(
    line,
    '2026-01-31T12:00:00.000Z \x1b[32mINFO \x1b[0m \x1b[1mws.open\x1b[0m path="/\\u001b[31m"\n',
  );
});
