import { addressText } from "../net/accepted.ts";
import type { Socket } from "../endpoint/socket.ts";
import type { OtherQuic } from "../ingress/h3_connection.ts";
import { NetError } from "../net/error.ts";
import type { QuicConnection } from "../net/quic.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { decodeFrame } from "../protocol/tunnel/decode.ts";
import { encodeFrame } from "../protocol/tunnel/encode.ts";
import { TunnelError } from "../protocol/tunnel/code.ts";
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
    return await this.#options.admission.whyUnknown({ login, remote, certificate });
  }

  /** By frames, or by the JSON messages of AnyProxy. Resolves when the link is over. */
  async takeSocket(request: WebSocketRequest): Promise<void> {
    const speaksFrames = request.subprotocols.includes(TUNNEL_SUBPROTOCOL);
    await (speaksFrames ? this.#takeFrames(request) : this.#takeJson(request));
  }

  async #takeFrames(request: WebSocketRequest): Promise<void> {
    const { gateway, onBug, windowBytes } = this.#options;
    const socket = await request.accept({ protocol: TUNNEL_SUBPROTOCOL });
    const auth = await this.#inTime(readAuth(socket), () => socket.abort("no AUTH in time"));
    if (auth === null) return void await socket.close(CloseCode.POLICY_VIOLATION, "expected AUTH");
    const remote = addressText(request.client.address, request.client.port);
    const certificate = request.clientCertificate;
    const agent = await this.#admit({ auth, remote, certificate }, (authed) => {
      return socket.send(encodeFrame({ type: "authed", authed }));
    });
    if (agent === null) return void await socket.close(CloseCode.POLICY_VIOLATION, "AUTH_FAILED");
    const { maxStreams } = agent;
    const link = new MuxLink({ socket, role: "gateway", windowBytes, maxStreams, onBug });
    gateway.take({ ...agent, link });
    await link.closed;
  }

  async #takeJson(request: WebSocketRequest): Promise<void> {
    const { gateway, sweeper, onBug } = this.#options;
    const socket = await request.accept();
    const auth = await this.#inTime(readJsonAuth(socket), () => socket.abort("no auth in time"));
    if (auth === null) return void await socket.close(CloseCode.POLICY_VIOLATION, "expected auth");
    const remote = addressText(request.client.address, request.client.port);
    const certificate = request.clientCertificate;
    const { authed, agent } = await this.#options.admission.admit({ auth, remote, certificate });
    await answerJsonAuth(socket, authed);
    if (agent === null) return void await socket.close(CloseCode.POLICY_VIOLATION, "AUTH_FAILED");
    const { maxStreams } = agent;
    const link = new JsonLink({ socket, role: "gateway", maxStreams, sweeper, onBug });
    gateway.take({ ...agent, link });
    await link.closed;
  }

  async #takeQuic(quic: QuicConnection): Promise<void> {
    try {
      const entered = await this.#inTime(this.#enter(quic), () => quic.close(0, "no AUTH in time"));
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
      if (!(error instanceof NetError || error instanceof TunnelError)) {
        this.#options.onBug("tunnel quic", error);
      }
      quic.close(0, error instanceof TunnelError ? error.message : "");
    }
  }

  async #enter(quic: QuicConnection) {
    const stream = await quic.acceptStream();
    if (stream === null) return null;
    const control = new FrameStream(stream);
    const frame = await control.expect();
    if (frame.type !== "auth") throw new NetError("other", `${frame.type} where AUTH belongs`);
    const agent = await this.#admit({ auth: frame.auth, remote: quic.remote }, (authed) => {
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

  /** Ends by `late` what takes longer than AUTH may. */
  async #inTime<T>(work: Promise<T>, late: () => void): Promise<T> {
    const { sweeper, authTimeoutMs } = this.#options;
    const deadline = new Deadline(sweeper, authTimeoutMs, late);
    try {
      return await work;
    } finally {
      deadline.clear();
    }
  }
}

/** What came first, if it is AUTH. */
async function readAuth(socket: Socket): Promise<Auth | null> {
  const message = await socket.receive();
  if (message === null || typeof message === "string") return null;
  try {
    const frame = decodeFrame(message);
    return frame?.type === "auth" ? frame.auth : null;
  } catch (error) {
    if (error instanceof TunnelError) return null;
    throw error;
  }
}
