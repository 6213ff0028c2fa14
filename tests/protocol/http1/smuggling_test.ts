import assert from "node:assert/strict";
import {
  RequestSequence,
  type SequenceEvent,
} from "../../../src/protocol/http1/request_sequence.ts";
import { requestUri } from "../../../src/protocol/http1/target.ts";
import { feedEveryWay, type Outcome } from "../../fuzz/driver.ts";
import { latin1 } from "../../fuzz/input.ts";
import type { Reading, Request } from "./smuggling.ts";
import { AMBIGUOUS_REQUESTS } from "./smuggling_table.ts";

/** A sequence that goes on by itself, as a door would that answers at once. */
function goingOn(): RequestSequence {
  const sequence = new RequestSequence();
  const next = sequence.next.bind(sequence);
  let persistent = true;
  let ended = false;
  sequence.next = () => {
    const event = next();
    if (event?.type === "request") persistent = event.persistent;
    if (event?.type === "end") {
      ended = !persistent;
      if (persistent) sequence.restart();
    }
    return event;
  };
  const push = sequence.push.bind(sequence);
  sequence.push = (chunk) => ended ? undefined : push(chunk);
  return sequence;
}

function read(bytes: string): Outcome {
  const normalise = (event: SequenceEvent) =>
    event.type === "data" ? { run: "data", bytes: event.bytes } : event;
  const target = { name: "", make: goingOn, valid: null!, normalise };
  return feedEveryWay(target, latin1(bytes), [5, 30, 60, 61, 200]);
}

/** The requests that were told whole. */
function readings({ events }: Outcome): Reading[] {
  const found: Reading[] = [];
  let head: Omit<Reading, "body" | "trailers"> | null = null;
  let body = "";
  for (const event of events as (SequenceEvent & { data?: string })[]) {
    if (event.type === "request") {
      head = { ...requestUri(event.head), method: event.head.method };
      body = "";
    } else if (event.data !== undefined) {
      body += event.data.replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16)));
    } else if (event.type === "end") {
      const { method, authority, path } = head!;
      found.push({ method, authority, path, body, trailers: event.trailers });
    }
  }
  return found;
}

function check({ bytes, status, reading }: Request): void {
  const outcome = read(bytes);
  assert.doesNotMatch(JSON.stringify(outcome.events), /"target":"[^"]*smuggled/);
  if (status === 200) {
    assert.equal(outcome.error, null);
    assert.deepEqual(readings(outcome), [reading]);
  } else {
    const error = { name: "HttpError", code: status, scope: "connection", by: "next" };
    assert.deepEqual(outcome.error, error);
    assert.deepEqual(readings(outcome), []);
  }
}

for (const row of AMBIGUOUS_REQUESTS) {
  const verb = row.status === 200 ? "is one request" : `is refused with ${row.status}`;
  Deno.test(`RFC 9112 §11.2: ${verb}: ${row.name}`, () => check(row));
}

Deno.test("the table of ambiguous requests: more than 100, each with a name of its own", () => {
  assert.ok(AMBIGUOUS_REQUESTS.length > 300, `${AMBIGUOUS_REQUESTS.length}`);
  assert.equal(new Set(AMBIGUOUS_REQUESTS.map(({ name }) => name)).size, AMBIGUOUS_REQUESTS.length);
  assert.equal(
    new Set(AMBIGUOUS_REQUESTS.map(({ bytes }) => bytes)).size,
    AMBIGUOUS_REQUESTS.length,
  );
});
