// Section 2.1: the line of version 1.
import { type Endpoint, formatAddress, parseIPv4, parseIPv6 } from "../wire/ip.ts";
import { ProxyProtocolError } from "./error.ts";
import { PREFIX, type ProxyHeader } from "./header.ts";

const PORT = /^(?:0|[1-9][0-9]{0,4})$/;
const MAX_PORT = 65535;

/**
 * Takes a line of version 1 apart, without its CRLF.
 * @throws {ProxyProtocolError}
 */
export function parseLine(line: string): ProxyHeader {
  const words = line.slice(PREFIX.length).split(" ");
  const [family, source, destination, sourcePort, destinationPort] = words;
  // Section 2.1: for UNKNOWN the receiver must ignore anything before the CRLF.
  if (family === "UNKNOWN") return { version: 1, proxied: null };
  const parse = family === "TCP4" ? parseIPv4 : family === "TCP6" ? parseIPv6 : null;
  if (parse === null) throw new ProxyProtocolError("Family is not TCP4, TCP6 or UNKNOWN");
  if (words.length !== 5) {
    throw new ProxyProtocolError("Not two addresses and two ports with one space before each");
  }
  return {
    version: 1,
    proxied: {
      source: endpoint(parse(source), sourcePort),
      destination: endpoint(parse(destination), destinationPort),
    },
  };
}

function endpoint(address: Uint8Array | null, port: string): Endpoint {
  if (address === null) throw new ProxyProtocolError("Invalid address");
  // Section 2.1: a decimal number from 0 to 65535, without heading zeroes.
  if (!PORT.test(port) || Number(port) > MAX_PORT) throw new ProxyProtocolError("Invalid port");
  return { address: formatAddress(address), port: Number(port) };
}
