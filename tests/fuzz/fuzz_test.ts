import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  agree,
  cutAt,
  decodesOrThrowsPeerError,
  feed,
  feedEveryWay,
  holds,
  roundTrips,
} from "./driver.ts";
import { cuts, hostile } from "./input.ts";
import { codecs, decoders, targets, twins } from "./targets.ts";

for (const target of targets) {
  Deno.test(`${target.name}: takes valid input`, () => {
    holds(target.valid, (input) => {
      const { error } = feed(target, [input]);
      if (error?.by !== "end" || error.code !== target.endCode) assert.equal(error, null);
    });
  });

  // Each feed holds the parser to the limit of what it buffers, too.
  Deno.test(`${target.name}: only events or PeerError, and buffered within limit`, () => {
    holds(hostile(target), (input) => {
      target.check?.(input, feed(target, [input]));
    });
  });

  Deno.test(`${target.name}: whole = byte by byte = random cuts`, () => {
    holds(fc.tuple(hostile(target), cuts), ([input, places]) => {
      feedEveryWay(target, input, places);
    });
  });
}

for (const [one, other] of twins) {
  Deno.test(`${one.name} = ${other.name}`, () => {
    holds(fc.tuple(hostile(one), cuts), ([input, places]) => {
      agree(one, other, cutAt(input, places));
    });
  });
}

for (const decoder of decoders) {
  Deno.test(`${decoder.name}: takes valid input`, () => {
    holds(decoder.valid, (input) => {
      decoder.decode(input);
    });
  });

  Deno.test(`${decoder.name}: only a value or PeerError`, () => {
    holds(hostile(decoder), (input) => decodesOrThrowsPeerError(decoder, input));
  });
}

for (const codec of codecs) {
  Deno.test(`${codec.name}: decode(encode(x)) = x`, () => {
    holds(codec.value, (value) => roundTrips(codec, value));
  });
}
