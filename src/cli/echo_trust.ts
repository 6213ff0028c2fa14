import { type Address, formatAddress } from "../net/address.ts";
import type { Certificates } from "./certificates.ts";
import { programName } from "./program.ts";

export interface EchoTrust {
  /** Where it listens. */
  readonly listen: Address;
  /** It holds ca.pem. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How clients come to trust a certificate that was made for them. */
export function tellTrust(
  made: Pick<Certificates, "spkiHash" | "notAfter"> & { readonly hosts: readonly string[] },
  { listen, folder, env }: EchoTrust,
): string {
  const isOwn = made.hosts.indexOf(listen.hostname) > 2;
  const authority = formatAddress({ ...listen, hostname: isOwn ? listen.hostname : "localhost" });
  const until = made.notAfter.toISOString().slice(0, 10);
  const ca = `${folder}/ca.pem`;
  const more = Deno.build.os === "windows" ? "^" : "\\";
  const isAny = listen.hostname === "0.0.0.0" || listen.hostname === "::";
  const address = isAny ? "127.0.0.1" : listen.hostname;
  const resolver = isOwn ? "" : `    --host-resolver-rules="MAP localhost ${address}" ${more}\n`;
  return `
Its certificate is for ${made.hosts.join(", ")}, until ${until}. Until it ends, clients can trust
its CA, ${ca}:

  curl --cacert ${ca} https://${authority}/
  ${programName(env)} connect wss://${authority}/ --ca ${ca}
  chromium --user-data-dir=${folder}/chromium --enable-quic ${more}
    --origin-to-force-quic-on=${authority} ${more}
    --enable-features=EnableWebsocketsOverHttp3 ${more}
    --ignore-certificate-errors-spki-list=${made.spkiHash} ${more}
${resolver}    https://${authority}/

That page tells what the query of a WebSocket's URL can ask for: ?delay=250ms, ?close=4001, ...
`;
}
