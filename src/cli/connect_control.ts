import type { ConnectEvent } from "./connect_format.ts";

/** So many Pings and Pongs wait to be shown, where nobody takes what is; more are left out. */
const MAX_WAITING = 1_000;

export interface ControlHooks {
  readonly onPing: (payload: Uint8Array) => void;
  readonly onPong: (payload: Uint8Array) => void;
}

/**
 * Shows Pings, and Pongs but those of our own Pings, which are shown with their time. A Ping is read
 * whether or not it can be shown, so a peer could have us keep any number of them.
 */
export function controlHooks(
  emit: (event: ConnectEvent) => Promise<void>,
  ownPings: ReadonlySet<string>,
): ControlHooks {
  let waiting = 0;
  const show = async (event: ConnectEvent) => {
    if (waiting === MAX_WAITING) return;
    waiting++;
    await emit(event);
    waiting--;
  };
  return {
    onPing: (payload) => void show({ type: "ping", payload }),
    onPong(payload) {
      if (!ownPings.has(String(payload))) void show({ type: "pong", payload });
    },
  };
}
