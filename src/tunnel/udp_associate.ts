// RFC 1928 §7: datagrams of a SOCKS5 client.
import type { Accepted } from "../net/accepted.ts";
import { addressText } from "../net/accepted.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { UdpSocket } from "../net/udp_socket.ts";
import { Socks5Reply } from "../protocol/socks5/codes.ts";
import { encodeReply } from "../protocol/socks5/request.ts";
import { decodeDatagram, encodeDatagramHeader } from "../protocol/socks5/udp.ts";
import type { Socks5Address } from "../protocol/socks5/address.ts";
import { concat } from "../protocol/wire/bytes.ts";
import type { Endpoint } from "../protocol/wire/ip.ts";
import { ipOf } from "../proxy/headers.ts";
import type { LetIn } from "./client_gate.ts";
import { UdpFlows, type UdpFlowsOptions } from "./udp_flows.ts";

/** Whose datagrams they are. */
export interface Associated extends Pick<Accepted, "stream" | "remote" | "local"> {
  readonly letIn: LetIn;
}

/**
 * Relays the datagrams of a client for as long as its TCP connection lives, RFC 1928 §6: each target
 * is a connection through an agent. Resolves at its end; `false` where there is no port for it.
 */
export async function associate(client: Associated, options: UdpFlowsOptions): Promise<boolean> {
  const { stream, local = "0.0.0.0:0" } = client;
  let socket: UdpSocket;
  try {
    // Beside the TCP connection: the client reaches that address.
    socket = new UdpSocket({ hostname: unmapped(ipOf(local)), port: 0 });
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return false;
  }
  const flows = new UdpFlows(options);
  try {
    const { address: host, port } = socket;
    const relaying = relayDatagrams(client, socket, flows);
    await stream.write(encodeReply(Socks5Reply.SUCCEEDED, { host, port }));
    await readPast(stream);
    socket.close();
    await relaying;
    return true;
  } finally {
    socket.close();
    flows.close();
  }
}

async function relayDatagrams(
  { remote, letIn }: Associated,
  socket: UdpSocket,
  flows: UdpFlows,
): Promise<void> {
  const ip = unmapped(ipOf(remote));
  let client: Endpoint | null = null;
  for (let came = await socket.receive(); came !== null; came = await socket.receive()) {
    const { bytes, from } = came;
    // RFC 1928 §7: MUST drop what comes from any other address.
    if (from.address !== ip || (client !== null && from.port !== client.port)) continue;
    const datagram = decodeDatagram(bytes);
    if (datagram === null) continue;
    // Which port it sends from, a client behind a NAT does not know itself.
    client ??= from;
    const { host, port, data } = datagram;
    flows.push(addressText(host, port), data, () => ({
      ask: {
        ...{ front: "socks5", client: remote, ...letIn },
        target: { protocol: "udp", host, port },
      },
      send: sender(socket, from, { host, port }),
    }));
  }
}

/** What sends datagrams of a target to the client. */
function sender(socket: UdpSocket, client: Endpoint, target: Socks5Address) {
  const header = encodeDatagramHeader(target);
  return (datagram: Uint8Array) => socket.send(concat([header, datagram]), client);
}

/** Until the client ends its side, or is lost. */
async function readPast(stream: ByteStream): Promise<void> {
  try {
    while (await stream.read() !== null);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
  }
}

/** RFC 4291 §2.5.5.2: an IPv4 address that came to a socket of IPv6 is one of IPv4. */
function unmapped(ip: string): string {
  return ip.replace(/^::ffff:(?=\d+\.)/i, "");
}
