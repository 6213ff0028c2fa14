import type { Dialled } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import type { ClientPool } from "./client_pool.ts";
import { withHeadStart } from "./head_start.ts";
import { type HttpClient, leaving, Unprocessed } from "./http_client.ts";
import { connectHead, type Opened, openedBy, upgrade, type Wanted } from "./open.ts";
import type { Chosen, H3Place, Origin } from "./origin.ts";
import { UpgradeRefused } from "./refused.ts";

/** Where nobody answers by TCP, HTTP/3 may serve alone; it is given so long to say so. */
const LAST_RESORT_MS = 1_000;
const NOBODY: ReadonlySet<string> = new Set(["refused", "unreachable", "reset"]);
/** So long an HTTP/3 connection may be silent before a handshake asks whether its way is still there. */
const SILENT_MS = 1_000;
/** So many connections in a row may be going away before they were asked for anything. */
const MAX_IN_VAIN = 2;
/** RFC 9110 §15.5.20 */
const MISDIRECTED_REQUEST = 421;

/** Opens it by HTTP/1.1, on a connection of its own. */
export async function openH1(origin: Origin, wanted: Wanted): Promise<Opened> {
  return await upgraded(origin, await origin.dialH1(wanted.signal), wanted);
}

async function upgraded(origin: Origin, stream: Dialled, wanted: Wanted): Promise<Opened> {
  return await learning(origin, () => upgrade(stream, wanted));
}

/** Opens it by HTTP/2, on a connection that is open or a new one. */
export function openH2(origin: Origin, wanted: Wanted): Promise<Opened> {
  const dial = () => origin.dialH2(wanted.signal);
  return openOn({ open: () => openIn(origin, origin.h2, wanted), dial });
}

/** Opens it by HTTP/3, on a connection that is open or a new one. */
export function openH3(origin: Origin, wanted: Wanted): Promise<Opened> {
  const dial = () => origin.dialH3(origin.target, wanted.signal);
  return openOn({ open: () => openIn(origin, origin.h3, wanted), dial });
}

interface Tries {
  /** On a connection that is open; `null` where none has room. */
  readonly open: () => Promise<Opened | null>;
  /** One more connection, or what was opened on it. */
  readonly dial: () => Promise<HttpClient | Opened>;
  /** Whether there is another way than that of a connection that was of no use. */
  readonly mayDoWithout?: (client: HttpClient) => boolean;
}

/**
 * More are dialled as long as none has room: others may take what one has. But a server that is
 * going away, and says so before it is asked for anything, would be dialled without a pause.
 */
async function openOn({ open, dial, mayDoWithout = () => false }: Tries): Promise<Opened> {
  let client: HttpClient | null = null;
  for (let inVain = 0;;) {
    const opened = await open();
    if (opened !== null) return opened;
    inVain = client?.goingAway ? inVain + 1 : 0;
    if (client !== null && inVain === MAX_IN_VAIN) {
      if (!mayDoWithout(client)) throw await whyGone(client);
      inVain = 0;
    }
    const dialled = await dial();
    if ("stream" in dialled) return dialled;
    client = dialled;
  }
}

/** What such a connection says of itself. */
async function whyGone(client: HttpClient): Promise<unknown> {
  try {
    await client.extendedConnect();
    return leaving();
  } catch (error) {
    return error;
  }
}

/** On a connection that is open; `null` where none has room. */
async function openIn(origin: Origin, pool: ClientPool, wanted: Wanted): Promise<Opened | null> {
  return await learning(origin, async () => {
    const answer = await pool.connect(connectHead(wanted), wanted.signal);
    return answer === null ? null : openedBy(answer, pool === origin.h3 ? "3" : "2", wanted);
  });
}

/** RFC 7838 §3: any answer may tell where else the origin is. */
async function learning<T extends Opened | null>(
  origin: Origin,
  open: () => Promise<T>,
): Promise<T> {
  try {
    const opened = await open();
    if (opened !== null) origin.learn(opened.fields);
    return opened;
  } catch (error) {
    if (error instanceof UpgradeRefused) origin.learn(error.fields);
    throw error;
  }
}

/**
 * Opens it by the best version that is known to serve: on a connection that is open; by HTTP/3
 * where the server said that it speaks it; or by what it chooses over TCP.
 */
export async function openAuto(origin: Origin, wanted: Wanted): Promise<Opened> {
  if (!origin.target.secure) {
    return await openIn(origin, origin.h2, wanted) ?? await openH1(origin, wanted);
  }
  return await openOn({
    open: () => openShared(origin, wanted),
    async dial() {
      const dialled = await dialBest(origin, wanted.signal);
      if (dialled.http !== "1.1") return dialled.client;
      const stream = dialled.take() ?? await origin.dialH1(wanted.signal);
      return await upgraded(origin, stream, wanted);
    },
    mayDoWithout({ http }) {
      if (http === "3") origin.failedH3();
      return http === "3";
    },
  });
}

/** On a connection that is open, if it is of use. */
async function openShared(origin: Origin, wanted: Wanted): Promise<Opened | null> {
  if (origin.mayTryH3) {
    try {
      const opened = await openOnH3(origin, wanted);
      if (opened !== null) return opened;
    } catch (error) {
      // RFC 7838 §2.1: that place is not the origin's, so it is not asked again.
      if (!(error instanceof UpgradeRefused) || error.status !== MISDIRECTED_REQUEST) throw error;
      origin.failedH3();
    }
  }
  try {
    return await openIn(origin, origin.h2, wanted);
  } catch (error) {
    // RFC 9113 §7: HTTP_1_1_REQUIRED.
    if (!(error instanceof Unprocessed && error.wantsHttp11)) throw error;
    origin.unfitH2();
    return await openH1(origin, wanted);
  }
}

/**
 * On an HTTP/3 connection that is open; `null` where none has room, or its way is gone: of packets
 * that are dropped nobody is told before the idle timeout (RFC 9000 §10.1). A handshake finds out,
 * for a slow handler must not be asked twice.
 */
async function openOnH3(origin: Origin, wanted: Wanted): Promise<Opened | null> {
  const [answered, gone] = [new AbortController(), new AbortController()];
  const ask = async () => {
    if (await isGone(origin, answered.signal)) gone.abort();
  };
  const timer = setTimeout(() => void ask(), SILENT_MS);
  const signal = AbortSignal.any([wanted.signal, gone.signal]);
  try {
    return await openIn(origin, origin.h3, { ...wanted, signal });
  } catch (error) {
    if (!gone.signal.aborted || wanted.signal.aborted) throw error;
    origin.failedH3();
    return null;
  } finally {
    clearTimeout(timer);
    answered.abort();
  }
}

/** Whether a handshake over HTTP/3 gets no answer. Never rejects. */
async function isGone(origin: Origin, answered: AbortSignal): Promise<boolean> {
  const late = AbortSignal.timeout(LAST_RESORT_MS);
  try {
    await origin.dialH3(origin.alternative ?? origin.target, AbortSignal.any([late, answered]));
    return false;
  } catch {
    return late.aborted && !answered.aborted;
  }
}

/** Dials what may serve best. */
function dialBest(origin: Origin, signal: AbortSignal): Promise<Chosen> {
  const place = origin.alternative;
  if (place === null) return dialTcpOrLast(origin, signal);
  return withHeadStart<Chosen>({
    preferred: (signal) => dialH3(origin, place, signal),
    other: (signal) => dialTcp(origin, signal),
    headStartMs: origin.times.headStartMs,
    signal,
    onLost: () => origin.failedH3(),
    late: (dial) => {
      if (dial.http === "1.1") dial.take()?.abort();
    },
  });
}

async function dialH3(origin: Origin, place: H3Place, signal: AbortSignal): Promise<Chosen> {
  return { http: "3", client: await origin.dialH3(place, signal) };
}

async function dialTcp(origin: Origin, signal: AbortSignal): Promise<Chosen> {
  if (!origin.h2Unfit) return await origin.dialTcp(signal);
  let stream: Dialled | null = await origin.dialH1(signal);
  return {
    http: "1.1",
    take() {
      const taken = stream;
      stream = null;
      return taken;
    },
  };
}

/** Where nobody listens by TCP, there may be a server of HTTP/3 alone. */
async function dialTcpOrLast(origin: Origin, signal: AbortSignal): Promise<Chosen> {
  try {
    return await dialTcp(origin, signal);
  } catch (error) {
    const isNobody = error instanceof NetError && NOBODY.has(error.kind);
    if (!isNobody || !origin.mayTryH3 || signal.aborted) throw error;
    const last = AbortSignal.any([signal, AbortSignal.timeout(LAST_RESORT_MS)]);
    try {
      return await dialH3(origin, origin.target, last);
    } catch {
      if (!signal.aborted) origin.failedH3();
      throw error;
    }
  }
}
