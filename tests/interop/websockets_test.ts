// Programs on Python's websockets as they are written, with its own I/O: a client of `serve`, and a
// server for `connectWebSocket`.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { withServer } from "../server/support.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { ANSWER, REFUSAL, SUBPROTOCOL } from "./ends.ts";
import { peerTests } from "./peers.ts";
import { type PeerEvent, PeerProcess } from "./peer_process.ts";

type Told = PeerEvent & Record<string, unknown>;

const test = peerTests("H3WS_PYTHON");
const PROGRAM = { name: "websockets", program: "websockets_program.py" };

/** The next event, which must be of this name. */
async function told(process: PeerProcess<Told>, name: string): Promise<Record<string, unknown>> {
  const { event, ...fields } = await process.event(name, () => true);
  assert.equal(event, name);
  return fields;
}

for (const secure of [true, false]) {
  const where = secure ? "over TLS" : "in clear text";

  test(`a program on websockets ${where} at serve`, async (python) => {
    await withServer({ permessageDeflate: true }, async (request) => {
      if (request.path === "/refused") return await request.reject(403, {}, REFUSAL);
      const socket = await request.accept({ protocol: SUBPROTOCOL, headers: [[...ANSWER]] });
      for await (const message of socket) await socket.send(message);
    }, async ({ port, plainPort, caPem, ends }) => {
      const url = secure ? `wss://localhost:${port}` : `ws://localhost:${plainPort}`;
      await using process = await PeerProcess.spawn<Told>({
        ...{ ...PROGRAM, python, args: ["client"], files: { "ca.pem": caPem }, more: [url] },
      });
      assert.deepEqual(await told(process, "closed"), {
        ...{ code: 4001, protocol: SUBPROTOCOL, answer: ANSWER[1] },
        extensions: ["permessage-deflate"],
      });
      assert.deepEqual(await told(process, "refused"), { status: 403, body: REFUSAL });
      await until("the end at the server", () => ends.length === 1);
      assert.deepEqual(ends, [["peer", 4001]]);
    });
  });

  test(`connectWebSocket at a program on websockets ${where}`, async (python) => {
    const { caPem, certPem, keyPem } = await testCertificates();
    const files = { "cert.pem": certPem, "key.pem": keyPem };
    const args = ["server"];
    await using process = await PeerProcess.spawn<Told>({ ...PROGRAM, python, args, files });
    const { port, plainPort } = await told(process, "listening");
    const url = secure ? `wss://localhost:${port}` : `ws://localhost:${plainPort}`;
    using connections = new Connections();
    const options: ConnectOptions = { connections, caCerts: [caPem], deflate: true };
    const protocols = ["chat.v2", SUBPROTOCOL];
    const socket = await connectWebSocket(`${url}/echo`, { ...options, protocols });
    assert.equal(socket.protocol, SUBPROTOCOL);
    assert.match(socket.extensions, /^permessage-deflate/);
    const large = Uint8Array.from({ length: 2 ** 20 }, (_, i) => i * 31 + (i >> 8));
    for (const message of ["grüße", new Uint8Array(2), "", "squeezed ".repeat(9_999), large]) {
      const [, echo] = await within(
        "an echo",
        Promise.all([socket.send(message), socket.receive()]),
      );
      assert.deepEqual(echo, message);
    }
    const pong = socket.ping();
    assert.ok(await within("a Pong", pong) >= 0);
    const { code, wasClean } = await socket.close(4001, "enough");
    assert.deepEqual([code, wasClean], [4001, true]);
    assert.deepEqual(await told(process, "closed"), { code: 4001, reason: "enough" });
    await assert.rejects(connectWebSocket(`${url}/refused`, options), (error) => {
      assert.ok(error instanceof UpgradeRefused);
      assert.deepEqual([error.status, new TextDecoder().decode(error.body)], [403, REFUSAL]);
      return true;
    });
  });
}
