// RFC 9113 §10.5: one who does often what can be done too often, but for good reason, never runs into
// a limit, for however long.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { encodeRequest } from "../../../src/protocol/http2/fields.ts";
import type { Http2Options } from "../../../src/protocol/http2/options.ts";
import { type Owner, Tester } from "./conversation.ts";
import { id, quick, steps } from "./floods.ts";
import {
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  headers,
  literal,
  ping,
  POST,
  rstStream,
  SettingId,
  settings,
  TUNNEL,
  windowUpdate,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;
const server: Http2Options = { role: "server" };

/** What happens once a second, which must never be too much. */
function forSeconds(seconds: number, tester: Tester, second: (i: number) => Uint8Array[]): void {
  const { connection } = tester;
  connection.tick(0);
  for (let i = 0; i < seconds; i++) {
    assert.ok(tester.receive(...second(i)), `in second ${i}: ${tester.sent().at(-1)}`);
    connection.output();
    tester.events();
    connection.tick(1000 * (i + 1));
  }
}

Deno.test("fair: a PING and a SETTINGS a second for hours are fine", () => {
  const row: [number, number] = [SettingId.MAX_CONCURRENT_STREAMS, 100];
  forSeconds(3 * 3600, Tester.ready(server, quick), () => [ping("12345678"), settings(row)]);
});

Deno.test("fair: a proxy that resets 30 of its 60 requests a second is fine, for as long as it likes", () => {
  forSeconds(
    300,
    Tester.ready(server, quick),
    (i) =>
      Array.from({ length: 60 }, (_, n) => id(60 * i + n)).flatMap((streamId) => {
        if (streamId % 4 === 1) return [headers(streamId, GET, WHOLE)];
        return [headers(streamId, POST), rstStream(streamId, H2Code.CANCEL)];
      }),
  );
});

// What there is no time for is paid for by what is done in it.

Deno.test("fair: a page that cancels each second one of its requests is fine, without time", () => {
  const tester = Tester.ready(server, quick);
  const borne = steps(tester, 20_000, (i) => [
    headers(id(2 * i), GET, WHOLE),
    headers(id(2 * i + 1), POST),
    rstStream(id(2 * i + 1), H2Code.CANCEL),
  ]);
  assert.equal(borne, 20_000);
});

/** Echoes what comes in a tunnel. */
const echo: Owner = (connection, event) => {
  if (event.type === "request") quick(connection, event);
  if (event.type !== "data") return;
  assert.equal(connection.sendData(event.streamId, event.bytes, false), event.bytes.length);
  connection.consumed(event.streamId, event.bytes.length);
};

Deno.test("fair: tiny messages with a WINDOW_UPDATE for each are fine, without time", () => {
  const tester = Tester.ready(server, echo);
  tester.receive(headers(1, TUNNEL));
  const borne = steps(tester, 100_000, () => [
    data(1, "hello!"),
    windowUpdate(1, 6),
    windowUpdate(0, 6),
  ]);
  assert.equal(borne, 100_000);
});

Deno.test("fair: tiny messages from us, with two WINDOW_UPDATE for each, are fine", () => {
  const tester = Tester.ready(server, quick);
  tester.receive(headers(1, TUNNEL));
  const borne = steps(tester, 100_000, () => {
    assert.equal(tester.connection.sendData(1, new Uint8Array(6), false), 6);
    return [windowUpdate(1, 6), windowUpdate(0, 6)];
  });
  assert.equal(borne, 100_000);
});

Deno.test("fair: a large answer, taken 512 bytes at a time, is fine, without time", () => {
  const tester = Tester.ready(server, quick);
  tester.receive(headers(1, TUNNEL));
  let sent = tester.connection.sendData(1, new Uint8Array(100_000), false);
  const borne = steps(tester, 100_000, () => {
    const updates = [windowUpdate(1, 512), windowUpdate(0, 512)];
    sent += tester.connection.sendData(1, new Uint8Array(100_000), false);
    return updates;
  });
  assert.equal(borne, 100_000);
  assert.ok(sent > 50_000_000);
});

Deno.test("fair: who measures its way by PING while much is sent is fine, without time", () => {
  const tester = Tester.ready(server, quick);
  tester.receive(headers(1, TUNNEL));
  const borne = steps(tester, 10_000, () => {
    tester.connection.sendData(1, new Uint8Array(100_000), false);
    return [windowUpdate(1, 32768), windowUpdate(0, 32768), ping("12345678")];
  });
  assert.equal(borne, 10_000);
});

Deno.test("fair: CVE-2019-9511: who opens its window by a byte at a time is not", () => {
  const tester = Tester.ready(server, quick);
  tester.receive(settings([SettingId.INITIAL_WINDOW_SIZE, 0]), headers(1, TUNNEL));
  const borne = steps(tester, 20_000, () => {
    tester.connection.sendData(1, new Uint8Array(100_000), false);
    return [windowUpdate(1, 1)];
  });
  assert.ok(borne < 11_000, `${borne} bytes`);
});

Deno.test("fair: a client bears what servers do: each of its requests may be reset", () => {
  const tester = Tester.ready({ role: "client" });
  const section = encodeRequest({
    method: "GET",
    scheme: "https",
    authority: "a.example",
    path: "/",
    protocol: null,
    fields: [],
  });
  const borne = steps(tester, 5000, () => {
    const streamId = tester.connection.openStream(section, true);
    return streamId % 4 === 1
      ? [rstStream(streamId, H2Code.REFUSED_STREAM)]
      : [headers(streamId, literal("x", "1"), WHOLE)];
  });
  assert.equal(borne, 5000);
});
