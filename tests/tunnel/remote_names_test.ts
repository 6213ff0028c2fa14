// Names are the agent's to resolve: by every way in they reach it as they are asked for.
import assert from "node:assert/strict";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { TunnelRefused, type TunnelTarget } from "../../src/tunnel/target.ts";
import { until } from "../support/until.ts";
import { Raw } from "./raw.ts";
import { LOOPBACK, withTunnel } from "./support.ts";
import { Association } from "./udp.ts";

/** RFC 6761 §6.4: no resolver knows it. */
const NAME = "db.invalid";

for (
  const [transport, transports] of Object.entries(
    { quic: ["quic"], ws: ["ws"], json: ["json"] } as const,
  )
) {
  Deno.test(`remote names by ${transport}: SOCKS5, CONNECT, an absolute URI, forwards, datagrams`, async () => {
    const seen: string[] = [];
    const connect = ({ protocol, host, port }: TunnelTarget) => {
      seen.push(`${protocol} ${host}:${port}`);
      const message = `unresolved: no host ${host}`;
      return Promise.reject(new TunnelRefused(TunnelCode.CONNECTION_FAILED, message));
    };
    const to = (protocol: "tcp" | "udp", port: number) => ({
      ...{ listen: LOOPBACK, group: "default" },
      target: { protocol, host: NAME, port },
    });
    const forwards = [to("tcp", 4), to("udp", 5)];
    await withTunnel({ transports, agent: { connect }, gateway: { forwards } }, async (tunnel) => {
      const { gateway } = tunnel;
      const says = async (port: number, text: string, want: RegExp) => {
        using client = await Raw.connect(port);
        await client.send(text);
        if (want.source === "$") assert.equal(await client.rest(), "");
        else assert.match(await client.until("\n"), want);
      };
      await says(
        gateway.httpPort!,
        `CONNECT ${NAME}:1 HTTP/1.1\r\nHost: x\r\n\r\n`,
        /^HTTP\/1.1 502 /,
      );
      await says(
        gateway.httpPort!,
        `GET http://${NAME}:2/ HTTP/1.1\r\nHost: x\r\n\r\n`,
        /^HTTP\/1.1 502 /,
      );
      await says(
        gateway.mixedPort!,
        `GET http://${NAME}:3/ HTTP/1.1\r\nHost: x\r\n\r\n`,
        /^HTTP\/1.1 502 /,
      );
      await says(gateway.forwardPorts[0], "hello", /$/);
      const socket = Deno.listenDatagram({ ...LOOPBACK, transport: "udp" });
      const at = { ...LOOPBACK, transport: "udp", port: gateway.forwardPorts[1] } as const;
      await socket.send(new Uint8Array(1), at);
      await until("the datagram", () => seen.length === 5);
      socket.close();
      const association = await Association.open(gateway.socksPort!);
      await association.send(NAME, 6, new Uint8Array(1));
      await until("the datagram", () => seen.length === 6);
      association.close();
    });
    const want = ["tcp", "tcp", "tcp", "tcp", "udp", "udp"];
    assert.deepEqual(seen, want.map((protocol, i) => `${protocol} ${NAME}:${i + 1}`));
  });
}
