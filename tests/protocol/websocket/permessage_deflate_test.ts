import assert from "node:assert/strict";
import { parseExtensions } from "../../../src/protocol/websocket/extensions.ts";
import {
  acceptDeflate,
  type DeflateParameters,
  type DeflateWishes,
  offerDeflate,
  readDeflateAnswer,
} from "../../../src/protocol/websocket/permessage_deflate.ts";
import { code } from "./support.ts";

/** Wishes that take whatever the peer wants. */
const ANY: DeflateWishes = { serverNoContextTakeover: false, clientNoContextTakeover: false };

function parameters(changed: Partial<DeflateParameters> = {}): DeflateParameters {
  return {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
    ...changed,
  };
}

const OFFERS: { name: string; wishes: DeflateWishes; want: string }[] = [
  {
    name: "no contexts are kept if nothing is wished",
    wishes: {},
    want: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
      "client_max_window_bits",
  },
  { name: "the least", wishes: ANY, want: "permessage-deflate; client_max_window_bits" },
  {
    name: "windows",
    wishes: { ...ANY, serverMaxWindowBits: 8, clientMaxWindowBits: 9 },
    want: "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9",
  },
];

for (const { name, wishes, want } of OFFERS) {
  Deno.test(`permessage-deflate: an offer: ${name}`, () => {
    assert.equal(offerDeflate(wishes), want);
  });
}

Deno.test("permessage-deflate: wishes that no window can be are a mistake of the caller", () => {
  for (const bits of [7, 16, 9.5, NaN]) {
    assert.throws(() => offerDeflate({ serverMaxWindowBits: bits }), RangeError);
    assert.throws(() => acceptDeflate([], { clientMaxWindowBits: bits }), RangeError);
  }
});

/** What a server makes of an offer; `null` where it declines. */
const ACCEPTS: {
  name: string;
  offer: string;
  wishes?: DeflateWishes;
  want: { answer: string; parameters: DeflateParameters } | null;
}[] = [
  {
    name: "nothing is asked, nothing is said",
    offer: "permessage-deflate",
    want: { answer: "permessage-deflate", parameters: parameters() },
  },
  {
    name: "§7.1.1.1: server_no_context_takeover is in the answer",
    offer: "permessage-deflate; server_no_context_takeover",
    want: {
      answer: "permessage-deflate; server_no_context_takeover",
      parameters: parameters({ serverNoContextTakeover: true }),
    },
  },
  {
    name: "§7.1.1.2: client_no_context_takeover too",
    offer: "permessage-deflate; client_no_context_takeover",
    want: {
      answer: "permessage-deflate; client_no_context_takeover",
      parameters: parameters({ clientNoContextTakeover: true }),
    },
  },
  {
    name: "§7.1.1: what the server wishes it says unasked",
    offer: "permessage-deflate",
    wishes: { serverMaxWindowBits: 10 },
    want: {
      answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
        "server_max_window_bits=10",
      parameters: parameters({
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        serverMaxWindowBits: 10,
      }),
    },
  },
  {
    name: "§7.1.2.1: of two windows for the server the smaller",
    offer: "permessage-deflate; server_max_window_bits=12",
    wishes: { ...ANY, serverMaxWindowBits: 14 },
    want: {
      answer: "permessage-deflate; server_max_window_bits=12",
      parameters: parameters({ serverMaxWindowBits: 12 }),
    },
  },
  {
    name: "§7.1.2.1: 15 asked for is 15 in the answer",
    offer: "permessage-deflate; server_max_window_bits=15",
    want: { answer: "permessage-deflate; server_max_window_bits=15", parameters: parameters() },
  },
  {
    name: "§7.1.2.2: a client that does not offer client_max_window_bits is not told one",
    offer: "permessage-deflate",
    wishes: { ...ANY, clientMaxWindowBits: 10 },
    want: { answer: "permessage-deflate", parameters: parameters() },
  },
  {
    name: "§7.1.2.2: client_max_window_bits without a value leaves it to the server",
    offer: "permessage-deflate; client_max_window_bits",
    wishes: { ...ANY, clientMaxWindowBits: 10 },
    want: {
      answer: "permessage-deflate; client_max_window_bits=10",
      parameters: parameters({ clientMaxWindowBits: 10 }),
    },
  },
  {
    name: "§7.1.2.2: a client's hint of 9",
    offer: "permessage-deflate; client_max_window_bits=9",
    want: {
      answer: "permessage-deflate; client_max_window_bits=9",
      parameters: parameters({ clientMaxWindowBits: 9 }),
    },
  },
  {
    name: "§5.1: the first offer that can be read, with its fallback behind it",
    offer: "mux, permessage-deflate; server_max_window_bits=7, permessage-deflate",
    want: { answer: "permessage-deflate", parameters: parameters() },
  },
  ...[
    "",
    "mux",
    "Permessage-Deflate",
    "permessage-deflate; x",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; client_no_context_takeover=true",
    "permessage-deflate; server_max_window_bits",
    ...["7", "16", "08", "+9", "8.0", "1e1", "99999999999999999999"].flatMap((bits) => [
      `permessage-deflate; server_max_window_bits=${bits}`,
      `permessage-deflate; client_max_window_bits=${bits}`,
    ]),
    "permessage-deflate; __proto__",
    "permessage-deflate; constructor=8",
  ].map((offer) => ({ name: `§7.1: declined: ${offer || "nothing"}`, offer, want: null })),
];

for (const { name, offer, wishes = ANY, want } of ACCEPTS) {
  Deno.test(`permessage-deflate: a server: ${name}`, () => {
    assert.deepEqual(acceptDeflate(parseExtensions(offer), wishes), want);
  });
}

/** What a client makes of an answer; `null` where it MUST fail the connection. */
const ANSWERS: {
  name: string;
  answer: string;
  wishes?: DeflateWishes;
  want: Partial<DeflateParameters> | null;
}[] = [
  { name: "as it is", answer: "permessage-deflate", want: {} },
  {
    name: "§7.1.1: unasked contexts and windows",
    answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
      "server_max_window_bits=8; client_max_window_bits=10",
    want: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 8,
      clientMaxWindowBits: 10,
    },
  },
  {
    name: "§7.1.1.2: what the client wishes for itself it does, said or not",
    answer: "permessage-deflate",
    wishes: { ...ANY, clientNoContextTakeover: true, clientMaxWindowBits: 11 },
    want: { clientNoContextTakeover: true, clientMaxWindowBits: 11 },
  },
  {
    name: "§7.1.1.1: server_no_context_takeover is missing",
    answer: "permessage-deflate",
    wishes: { ...ANY, serverNoContextTakeover: true },
    want: null,
  },
  {
    name: "§7.1.2.1: server_max_window_bits is missing",
    answer: "permessage-deflate",
    wishes: { ...ANY, serverMaxWindowBits: 10 },
    want: null,
  },
  {
    name: "§7.1.2.1: server_max_window_bits is above",
    answer: "permessage-deflate; server_max_window_bits=11",
    wishes: { ...ANY, serverMaxWindowBits: 10 },
    want: null,
  },
  {
    name: "§7.1.2.2: client_max_window_bits without a value",
    answer: "permessage-deflate; client_max_window_bits",
    want: null,
  },
  { name: "§5: twice", answer: "permessage-deflate, permessage-deflate", want: null },
  { name: "§7.1: an unknown parameter", answer: "permessage-deflate; x=1", want: null },
  {
    name: "§7.1: a parameter twice",
    answer: "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
    want: null,
  },
  {
    name: "§7.1.2.1: 16 bits",
    answer: "permessage-deflate; server_max_window_bits=16",
    want: null,
  },
];

for (const { name, answer, wishes = ANY, want } of ANSWERS) {
  Deno.test(`permessage-deflate: a client: ${name}`, () => {
    const read = () => readDeflateAnswer(parseExtensions(answer), wishes);
    if (want === null) assert.equal(code(read), 400);
    else assert.deepEqual(read(), parameters(want));
  });
}

Deno.test("permessage-deflate: a client: an answer without it is a server that declined", () => {
  assert.equal(readDeflateAnswer([]), null);
  assert.equal(readDeflateAnswer(parseExtensions("mux")), null);
});
