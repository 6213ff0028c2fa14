import { type Dial, dial, type DialTarget, type TlsClientOptions } from "../net/dial.ts";

/** What the flags of a tool say of how TCP connections are made. */
export type DialFlags =
  & Pick<DialTarget, "proxy">
  & Pick<TlsClientOptions, "clientCertificate" | "onSecure">;

/** `dial` with that, for who asks for the rest. */
export function dialWith({ proxy, ...ofTls }: DialFlags): Dial {
  return ({ tls, ...target }, signal) =>
    dial({
      ...target,
      ...(proxy !== undefined && { proxy }),
      ...(tls !== undefined && { tls: { ...tls, ...ofTls } }),
    }, signal);
}
