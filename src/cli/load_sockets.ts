import type { Socket, SocketEnd } from "../endpoint/socket.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { LoadClock } from "./load_clock.ts";
import type { Client, Open } from "./load_open.ts";
import type { Recorder } from "./load_recorder.ts";

/** Where one socket is after the other. */
export interface Place {
  socket: Socket;
  /** Opens the next one. */
  readonly again: Open;
}

/** The sockets of a load, the connections below them, and how each of them ended. */
export class LoadSockets {
  readonly places: Place[] = [];
  /** That were opened. */
  connections = 0;
  /** Sockets on which permessage-deflate was agreed on. */
  deflated = 0;
  readonly #recorder: Recorder;
  readonly #clock: LoadClock;
  readonly #clients = new Set<Client>();
  readonly #endedByUs = new WeakSet<Socket>();
  readonly #isAlone: boolean;
  readonly #onNone: () => void;

  /** `isAlone`: each socket is a connection. `onNone` is called when the last one has ended. */
  constructor(
    { recorder, clock, isAlone, onNone }: {
      recorder: Recorder;
      clock: LoadClock;
      isAlone: boolean;
      onNone: () => void;
    },
  ) {
    this.#recorder = recorder;
    this.#clock = clock;
    this.#isAlone = isAlone;
    this.#onNone = onNone;
  }

  add(socket: Socket, again: Open): void {
    this.places.push({ socket, again });
    this.#watch(socket);
  }

  /** Opens another one in the place of one that has ended. Rejects where it can't. */
  async renew(place: Place): Promise<void> {
    place.socket = await place.again();
    this.#recorder.openedAnew(this.#clock.now());
    this.#watch(place.socket);
  }

  connected(client: Client): void {
    this.connections++;
    this.#clients.add(client);
    void client.closed.then(() => this.#clients.delete(client));
  }

  #watch(socket: Socket): void {
    const openedMs = this.#clock.now();
    this.#recorder.sessions.opened++;
    if (this.#isAlone) this.connections++;
    if (socket.extensions.includes("permessage-deflate")) this.deflated++;
    void socket.closed.then((end) => {
      const nowMs = this.#clock.now();
      if (this.#isOurs(socket, end)) this.#recorder.closed(nowMs - openedMs);
      else this.#recorder.lost(end, nowMs - openedMs, nowMs);
      if (this.#recorder.open === 0) this.#onNone();
    });
  }

  /** Whether a session ended as it should: it may have been lost just before we ended it. */
  #isOurs(socket: Socket, { by, code, wasClean }: SocketEnd): boolean {
    if (by !== "us" || !this.#endedByUs.has(socket)) return false;
    // What breaks a rule is ended by us as well, with another code.
    return wasClean || code === CloseCode.ABNORMAL_CLOSURE;
  }

  abort({ socket }: Place): void {
    this.#endedByUs.add(socket);
    socket.abort();
  }

  async close({ socket }: Place): Promise<void> {
    this.#endedByUs.add(socket);
    await socket.close();
  }

  /** Ends all of it; resolves when the servers know that their peers are gone. */
  async end(): Promise<void> {
    await Promise.all(this.places.map((place) => this.close(place)));
    const clients = [...this.#clients];
    for (const client of clients) client.close();
    await Promise.all(clients.map((client) => client.closed));
  }
}
