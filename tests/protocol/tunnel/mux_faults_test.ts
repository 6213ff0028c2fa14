// What a peer can do wrong on a link, and what only looks so because it could not know better.
import assert from "node:assert/strict";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import type { Frame, StreamProtocol } from "../../../src/protocol/tunnel/frame.ts";
import { Mux } from "../../../src/protocol/tunnel/mux.ts";
import type { MuxRole } from "../../../src/protocol/tunnel/mux_state.ts";
import { faultOf } from "./frames.ts";
import { credit, data, fin, muxIn, open, opened, refused, reset } from "./mux_support.ts";
import { sent, type State, take } from "./mux_support.ts";

const BOTH = ["gateway", "agent"] as const;
const OVER = ["ended", "reset by us", "reset by the peer", "refused"] as const;

interface FaultRow {
  readonly frame: Frame;
  readonly in: State;
  /** Which end of the link takes it; either if left out. */
  readonly by?: MuxRole;
  readonly protocol?: StreamProtocol;
  readonly want: RegExp;
}

const login = { version: 1, clientId: "a", login: null, group: null, agent: null };
const auth: Frame = { type: "auth", auth: { ...login, openPorts: [], maxConns: null } };
const authed: Frame = {
  type: "authed",
  authed: {
    success: true,
    message: "",
    code: null,
    session: null,
    heartbeatMs: null,
    refusedPorts: [],
  },
};

const rows: readonly FaultRow[] = [
  { frame: auth, in: "never opened", want: /Second AUTH/ },
  { frame: authed, in: "open", want: /Second AUTHED/ },
  { frame: open(1), in: "never opened", by: "gateway", want: /OPEN from an agent/ },
  { frame: open(1), in: "open", by: "agent", want: /OPEN of stream 1 after 1/ },
  { frame: open(1), in: "ended", by: "agent", want: /OPEN of stream 1 after 1/ },
  { frame: opened(1), in: "asked for", by: "agent", want: /OPENED from a gateway/ },
  { frame: opened(1), in: "open", by: "gateway", want: /OPENED on stream 1, which is open/ },
  { frame: refused(1), in: "asked for", by: "agent", want: /REFUSED from a gateway/ },
  { frame: refused(1), in: "open", by: "gateway", want: /REFUSED on stream 1, which is open/ },
  { frame: opened(1), in: "never opened", by: "gateway", want: /never opened/ },
  { frame: refused(1), in: "never opened", by: "gateway", want: /never opened/ },
  { frame: data(1, "a"), in: "never opened", want: /DATA on stream 1, which was never opened/ },
  { frame: credit(2, 1), in: "open", want: /CREDIT on stream 2, which was never opened/ },
  { frame: fin(2), in: "ended", want: /FIN on stream 2, which was never opened/ },
  { frame: reset(2), in: "ended", want: /RESET on stream 2, which was never opened/ },
  { frame: data(1, "a"), in: "asked for", want: /DATA on stream 1, which is not open yet/ },
  { frame: credit(1, 1), in: "asked for", want: /CREDIT on stream 1, which is not open yet/ },
  { frame: fin(1), in: "asked for", want: /FIN on stream 1, which is not open yet/ },
  { frame: reset(1), in: "asked for", by: "gateway", want: /RESET on stream 1, which is not open/ },
  { frame: data(1, "a"), in: "ended by the peer", want: /DATA behind FIN on stream 1/ },
  { frame: fin(1), in: "ended by the peer", want: /FIN behind FIN on stream 1/ },
  { frame: data(1, ""), in: "open", want: /Empty DATA on stream 1/ },
  { frame: data(1, ""), in: "open", protocol: "udp", want: /Empty DATA on stream 1/ },
  { frame: data(1, ""), in: "ended", want: /Empty DATA on stream 1/ },
  { frame: data(1, "123456789"), in: "open", want: /9 bytes of DATA with a credit of 8/ },
  { frame: data(1, "123456789"), in: "ended by us", want: /9 bytes of DATA with a credit of 8/ },
  { frame: data(1, "123456789"), in: "open", protocol: "udp", want: /9 bytes of DATA/ },
  { frame: credit(1, 0x7fffffff), in: "open", want: /CREDIT makes a window above 2147483647/ },
  { frame: data(1, "a"), in: "ended", want: /DATA on a stream that has ended/ },
  { frame: data(1, "a"), in: "refused", want: /DATA on a stream that has ended/ },
  { frame: data(1, "a"), in: "reset by the peer", want: /DATA on a stream that has ended/ },
  { frame: data(1, "123456789"), in: "reset by us", want: /DATA on a stream that has ended/ },
];

for (const { frame, in: state, by, protocol = "tcp", want } of rows) {
  for (const role of by === undefined ? BOTH : [by]) {
    const name = `${frame.type.toUpperCase()} on a ${protocol} stream that is ${state}`;
    Deno.test(`mux: ${name}, to the ${role}: ${want.source}`, () => {
      const mux = muxIn(state, role, protocol);
      const fault = faultOf(() => take(mux, frame));
      assert.equal(fault.code, TunnelCode.INVALID_MESSAGE);
      assert.match(fault.message, want);
      // A link that is broken stays so.
      assert.equal(faultOf(() => take(mux, fin(1))), fault);
      assert.ok(mux.isDone);
      assert.ok(!mux.canOpen);
    });
  }
}

Deno.test("mux: bytes that are no frame break the link", () => {
  const mux = muxIn("open", "agent");
  const fault = faultOf(() => mux.receive(Uint8Array.of(0x3f)));
  assert.equal(faultOf(() => take(mux, data(1, "a"))), fault);
});

Deno.test("mux: frames of later versions change nothing", () => {
  const mux = muxIn("open", "agent");
  assert.equal(mux.receive(Uint8Array.of(0x40, 1, 2, 3)), null);
  assert.equal(take(mux, data(1, "a")), "data 1 a");
});

for (const state of OVER) {
  for (const role of BOTH) {
    Deno.test(`mux: what comes late for a stream that is ${state} is ignored by the ${role}`, () => {
      const mux = muxIn(state, role);
      const answers = role === "gateway" ? [opened(1), refused(1)] : [];
      for (const frame of [...answers, credit(1, 5), credit(1, 0x7fffffff), fin(1), reset(1)]) {
        assert.equal(take(mux, frame), "");
      }
      assert.deepEqual(sent(mux), []);
      assert.equal(mux.streams, 0);
    });
  }
}

Deno.test("mux: an identifier that was left out is one of a stream that is over", () => {
  const mux = new Mux({ role: "agent" });
  take(mux, open(7));
  assert.equal(take(mux, reset(3)), "");
  faultOf(() => take(mux, open(5)));
});

Deno.test("mux: DATA that was on its way to a stream that we reset is ignored, all of its credit", () => {
  for (const role of BOTH) {
    const mux = muxIn("open", role);
    take(mux, data(1, "12"));
    mux.consumed(1, 2);
    mux.reset(1, TunnelCode.CONNECTION_FAILED, "");
    mux.output();
    for (const text of ["123", "456"]) assert.equal(take(mux, data(1, text)), "");
    faultOf(() => take(mux, data(1, "1")));
  }
});

Deno.test("mux: a gateway that took OPEN back ignores what the agent had sent since", () => {
  const mux = muxIn("asked for", "gateway");
  mux.reset(1, TunnelCode.CONNECTION_FAILED, "");
  for (const frame of [opened(1), data(1, "12345678"), fin(1)]) assert.equal(take(mux, frame), "");
  faultOf(() => take(mux, data(1, "1")));
});

Deno.test("mux: nothing can come late of a stream whose FIN came", () => {
  const mux = muxIn("ended by the peer", "agent");
  mux.reset(1, TunnelCode.CONNECTION_FAILED, "");
  faultOf(() => take(mux, data(1, "1")));
});

Deno.test("mux: CREDIT behind our FIN is no news", () => {
  const mux = muxIn("ended by us", "gateway");
  assert.equal(take(mux, credit(1, 8)), "");
});
