import type { Observer } from "../proxy/observer.ts";

/** Whoever is told beside an observer: of as much as it wants to know. */
export type Listener = Partial<Omit<Observer, "toBackend" | "toClient">>;

const METHODS = [
  ...["sessionOpened", "sessionClosed", "rejected", "requestEnded", "handshakeFailed"] as const,
  ...["backendChanged", "failed", "connectionOpened", "connectionClosed"] as const,
  ...["prerequestClose", "bug"] as const,
] satisfies readonly (keyof Listener)[];

/**
 * The same observer, with one that is told behind it. What that one throws, or rejects with, is
 * told to the observer as a bug `of` it, and does no more harm.
 */
export function tellToo<T extends Observer>(observer: T, listener: Listener, of: string): T {
  const told = { ...observer };
  for (const name of METHODS) {
    const also = listener[name] as ((...what: unknown[]) => unknown) | undefined;
    if (also === undefined) continue;
    const first = observer[name] as (...what: unknown[]) => void;
    const second = guarded(also.bind(listener), (error) => observer.bug(`${of}.${name}`, error));
    Object.assign(told, {
      [name]: (...what: unknown[]) => {
        first(...what);
        second(...what);
      },
    });
  }
  return told;
}

/** Calls `listen` and waits for nothing; what goes wrong in it is told. */
export function guarded<A extends unknown[]>(
  listen: (...what: A) => unknown,
  failed: (error: unknown) => void,
): (...what: unknown[]) => void {
  return (...what) => {
    try {
      const result = listen(...what as A);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
