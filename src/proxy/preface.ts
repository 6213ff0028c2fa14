// The PROXY protocol on the way to a backend: who the client is, said before all else.
import type { ClientEnds } from "../client/h1_pool.ts";
import { encodeProxyHeader } from "../protocol/proxy_protocol/encode.ts";
import { type Endpoint, parseIPv4, parseIPv6 } from "../protocol/wire/ip.ts";
import type { BackendTarget } from "./backend.ts";

/**
 * The header that a connection to `target` begins with; `undefined` where it wants none. Without
 * `client` the connection is the proxy's own (LOCAL, UNKNOWN), and so is one of a client whose
 * address is not known. Where the client came to stands as all zeroes where it is not known.
 */
export function prefaceOf(
  { proxyProtocol }: Pick<BackendTarget, "proxyProtocol">,
  client: ClientEnds | null,
): Uint8Array | undefined {
  if (proxyProtocol === undefined) return undefined;
  const source = client === null ? null : endpointOf(client.remote);
  if (source === null) return encodeProxyHeader({ version: proxyProtocol, proxied: null });
  const destination = endpointOf(client?.local ?? "") ?? unknownFor(source);
  return encodeProxyHeader({ version: proxyProtocol, proxied: { source, destination } });
}

function unknownFor({ address }: Endpoint): Endpoint {
  return { address: address.includes(":") ? "::" : "0.0.0.0", port: 0 };
}

/** `null` for what is no IP address with a port. The zone of a link-local one is for here alone. */
function endpointOf(text: string): Endpoint | null {
  const match = /^\[?([^\]%]*)(?:%[^\]]*)?\]?:([0-9]{1,5})$/.exec(text);
  if (match === null) return null;
  const [, address, port] = match;
  if (parseIPv4(address) === null && parseIPv6(address) === null) return null;
  return { address, port: Number(port) };
}
