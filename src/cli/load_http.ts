import { H2Client } from "../client/h2_client.ts";
import { H3Client } from "../client/h3_client.ts";
import { type Target } from "../client/target.ts";
import { NetError, type NetErrorKind } from "../net/error.ts";
import { dialWith } from "./dial_with.ts";
import { OPEN_TIMEOUT_MS } from "./load_open.ts";
import type { LoadHttp, LoadOptions, LoadTarget } from "./load_options.ts";

/** How long HTTP/3 may still take once it is known what TCP gives. */
const H3_MORE_MS = 1_000;

type Trust = Pick<
  LoadTarget,
  "caCerts" | "certificateHashes" | "insecure" | "clientCertificate"
>;

/** What came of one try: whether WebSockets go by it, or why that is not known. */
type Tried = boolean | NetErrorKind;

/**
 * The best version that takes WebSockets at `target`, asked by one connection of HTTP/3 and one of
 * HTTP/2, which are ended again. Where none answers it is the one whose error tells most.
 */
export async function bestHttp(
  target: Target,
  trust: Trust & Pick<LoadOptions, "openTimeoutMs">,
  signal: AbortSignal,
): Promise<LoadHttp> {
  if (!target.secure) return "1.1";
  const cancel = new AbortController();
  const timeout = AbortSignal.timeout(trust.openTimeoutMs ?? OPEN_TIMEOUT_MS);
  const either = AbortSignal.any([signal, cancel.signal, timeout]);
  const { clientCertificate, insecure } = trust;
  const at = { hostname: target.hostname, port: target.port, ...trust, signal: either };
  const byTcp = { ...at, dial: dialWith({ clientCertificate }) };
  const h2 = tried(() => H2Client.connect(byTcp), either);
  const h3: Promise<Tried> = insecure || clientCertificate !== undefined
    ? Promise.resolve(false)
    : tried(() => H3Client.connect(at), either);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = h2.then(() =>
    new Promise<Tried>((resolve) => timer = setTimeout(() => resolve("timeout"), H3_MORE_MS))
  );
  const byH3 = await Promise.race([h3, late]);
  clearTimeout(timer);
  if (byH3 === true) cancel.abort();
  const byH2 = byH3 === true ? false : await h2;
  cancel.abort();
  return chosen(byH3, byH2);
}

function chosen(byH3: Tried, byH2: Tried): LoadHttp {
  if (byH3 === true) return "3";
  if (byH2 === true) return "2";
  // Nobody is there by TCP, but by UDP somebody is.
  const isByUdpAlone = byH2 === "refused" && typeof byH3 === "string" && byH3 !== "timeout" &&
    byH3 !== "aborted";
  return isByUdpAlone ? "3" : "1.1";
}

interface Asked {
  extendedConnect(): Promise<boolean>;
  close(): void;
}

async function tried(connect: () => Promise<Asked>, signal: AbortSignal): Promise<Tried> {
  try {
    const client = await connect();
    const close = () => client.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      if (signal.aborted) return "aborted";
      return await client.extendedConnect();
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  } catch (error) {
    return error instanceof NetError ? error.kind : "other";
  }
}
