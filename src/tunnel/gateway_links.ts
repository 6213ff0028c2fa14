import { addressText } from "../net/accepted.ts";
import type { Socket } from "../endpoint/socket.ts";
import type { OtherQuic } from "../ingress/h3_connection.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import type { QuicConnection } from "../net/quic.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { decodeFrame } from "../protocol/tunnel/decode.ts";
import { encodeFrame } from "../protocol/tunnel/encode.ts";
import { TunnelCode, TunnelError } from "../protocol/tunnel/code.ts";
import type { Frame } from "../protocol/tunnel/frame.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { WebSocketRequest } from "../server/request.ts";
import type { Admission, Admitted, Applicant } from "./admission.ts";
import type { Auth, Authed } from "../protocol/tunnel/auth.ts";
import { loginOf } from "./early_auth.ts";
import { FrameStream } from "./frame_stream.ts";
import type { Gateway } from "./gateway.ts";
import { answerJsonAuth, readJsonAuth } from "./json_auth.ts";
import { JsonLink } from "./json_link.ts";
import type { GatewayLink } from "./link.ts";
import { MuxLink, TUNNEL_SUBPROTOCOL } from "./mux_link.ts";
import { QuicLink, TUNNEL_ALPN } from "./quic_link.ts";

/** Above all that an agent says by JSON. */
const MAX_JSON_BYTES = 1024 * 1024;

export interface GatewayLinksOptions {
  gateway: Gateway;
  admission: Admission;
  sweeper: Sweeper;
  /** How long an agent may take to say who it is. */
  authTimeoutMs: number;
  windowBytes: number;
  onBug: (where: string, error: unknown) => void;
}

/** Where agents come in: by WebSocket, and by QUIC. */
export class GatewayLinks {
  readonly #options: GatewayLinksOptions;

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
  }

  /** For the UDP port. */
  get quic(): OtherQuic {
    return { alpnProtocols: [TUNNEL_ALPN], take: (quic) => void this.#takeQuic(quic) };
  }

  /**
   * Why a request is of no agent, by what it says itself: `null` for an agent's, and "" where it
   * says nothing. A certificate says something only to who asks for one: others may have one of the
   * same CA, and say later who they are.
   */
  async whyNoAgent(
    request: WebSocketRequest,
    { byCertificate }: { byCertificate: boolean },
  ): Promise<string | null> {
    const login = loginOf(request);
    const { client: { address, port } } = request;
    const certificate = byCertificate ? request.clientCertificate : null;
    if (login === null && certificate === null) return "";
    const remote = addressText(address, port);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    request.signal.addEventListener("abort", () => resolve(), { once: true });
    return await this.#inTime({ over, late: () => {} }, (gone) => {
      return this.#options.admission.whyUnknown({ login, remote, certificate, gone });
    });
  }

  /** By frames, or by the JSON messages of AnyProxy. Resolves when the link is over. */
  async takeSocket(request: WebSocketRequest): Promise<void> {
    const speaksFrames = request.subprotocols.includes(TUNNEL_SUBPROTOCOL);
    await (speaksFrames ? this.#takeFrames(request) : this.#takeJson(request));
  }

  async #takeFrames(request: WebSocketRequest): Promise<void> {
    const { gateway, onBug, windowBytes } = this.#options;
    const socket = await request.accept({ protocol: TUNNEL_SUBPROTOCOL });
    const entered = await this.#inTime(endOf(socket), async (gone) => {
      const said = sayingOf(request);
      try {
        const auth = await readAuth(socket);
        if (auth === null) return "expected AUTH";
        return await this.#admit({ auth, ...said, gone }, (authed) => {
          return socket.send(encodeFrame({ type: "authed", authed }));
        }) ?? "AUTH_FAILED";
      } catch (error) {
        return this.#malformed(said.remote, error);
      }
    });
    if (typeof entered === "string") return await refuse(socket, entered);
    const { maxStreams } = entered;
    const link = new MuxLink({ socket, role: "gateway", windowBytes, maxStreams, onBug });
    gateway.take({ ...entered, link });
    await link.closed;
  }

  async #takeJson(request: WebSocketRequest): Promise<void> {
    const { gateway, sweeper, onBug } = this.#options;
    const socket = await request.accept();
    const entered = await this.#inTime(endOf(socket), async (gone) => {
      const auth = await readJsonAuth(socket);
      if (auth === null) return "expected auth";
      return await this.#admit({ auth, ...sayingOf(request), gone }, (authed) => {
        if (authed.success) socket.limitMessages(MAX_JSON_BYTES);
        return answerJsonAuth(socket, authed);
      }) ?? "AUTH_FAILED";
    });
    if (typeof entered === "string") return await refuse(socket, entered);
    const { maxStreams } = entered;
    const link = new JsonLink({ socket, role: "gateway", maxStreams, sweeper, onBug });
    gateway.take({ ...entered, link });
    await link.closed;
  }

  async #takeQuic(quic: QuicConnection): Promise<void> {
    try {
      const late = () => quic.close(0, "no AUTH in time");
      const entered = await this.#inTime({ over: quic.closed, late }, (gone) => {
        return this.#enter(quic, gone);
      });
      if (entered === null) return;
      const { control, agent } = entered;
      const { maxStreams } = agent;
      const link: GatewayLink = new QuicLink({
        quic,
        control,
        maxStreams,
        onBug: this.#options.onBug,
      });
      this.#options.gateway.take({ ...agent, link });
    } catch (error) {
      if (error instanceof TunnelError) quic.close(0, this.#malformed(quic.remote, error));
      else {
        if (!(error instanceof NetError)) this.#options.onBug("tunnel quic", error);
        quic.close(0, "");
      }
    }
  }

  /** Tells why what came was no AUTH; throws what says nothing of that. */
  #malformed(remote: string, error: unknown): string {
    if (!(error instanceof TunnelError)) throw error;
    this.#options.admission.malformed(remote, error.message);
    return error.message;
  }

  async #enter(quic: QuicConnection, gone: CancelSignal) {
    const stream = await quic.acceptStream();
    if (stream === null) return null;
    const control = new FrameStream(stream);
    const frame = await control.expect();
    const auth = authOf(frame.type, frame);
    const agent = await this.#admit({ auth, remote: quic.remote, gone }, (authed) => {
      return control.send({ type: "authed", authed });
    });
    if (agent !== null) return { control, agent };
    // It ends the connection itself, once it has read that; or else we do.
    await quic.closed;
    return null;
  }

  /** Tells an agent whether it is taken; `null` for who is not. */
  async #admit(
    applicant: Applicant,
    tell: (authed: Authed) => Promise<void>,
  ): Promise<Admitted["agent"]> {
    const { authed, agent } = await this.#options.admission.admit(applicant);
    try {
      await tell(authed);
    } catch (error) {
      agent?.ports.release();
      throw error;
    }
    return agent;
  }

  /** Ends by `late` what takes longer than AUTH may; then, and at its end, whoever waits is gone. */
  async #inTime<T>(
    { over, late }: { over: Promise<unknown>; late: () => void },
    work: (gone: CancelSignal) => Promise<T>,
  ): Promise<T> {
    const { sweeper, authTimeoutMs } = this.#options;
    const gone = new Cancel();
    const leave = () => gone.abort(new NetError("aborted", "the agent is gone"));
    void over.then(leave, leave);
    const deadline = new Deadline(sweeper, authTimeoutMs, () => {
      leave();
      late();
    });
    try {
      return await work(gone);
    } finally {
      deadline.clear();
    }
  }
}

function endOf(socket: Socket) {
  return { over: socket.closed, late: () => socket.abort("no AUTH in time") };
}

/** What a request says of who sends it, whatever comes in its WebSocket. */
function sayingOf({ client: { address, port }, clientCertificate }: WebSocketRequest) {
  return { remote: addressText(address, port), certificate: clientCertificate };
}

async function refuse(socket: Socket, reason: string): Promise<void> {
  await socket.close(CloseCode.POLICY_VIOLATION, reason);
}

/**
 * What came first, which has to be AUTH; `null` from who left.
 *
 * @throws {TunnelError} INVALID_MESSAGE for anything else
 */
async function readAuth(socket: Socket): Promise<Auth | null> {
  const message = await socket.receive();
  if (message === null) return null;
  const frame = typeof message === "string" ? null : decodeFrame(message);
  return authOf(frame?.type ?? "what is no frame", frame);
}

function authOf(what: string, frame: Frame | null): Auth {
  if (frame?.type === "auth") return frame.auth;
  throw new TunnelError(TunnelCode.INVALID_MESSAGE, "connection", `${what} where AUTH belongs`);
}
