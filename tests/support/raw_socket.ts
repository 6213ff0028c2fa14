// Sockets of clients, by TCP or by TLS, that can stop reading.
import * as net from "node:net";
import * as tls from "node:tls";

/** A connection, and the TCP socket below it if it is TLS. */
export interface RawSocket {
  readonly socket: net.Socket;
  readonly tcp: net.Socket;
}

/** Connects by TCP, or by TLS where it is said whom to trust. */
export function connectRaw(
  port: number,
  { caCerts, alpn }: { caCerts?: readonly string[]; alpn: string },
): RawSocket {
  const tcp = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
  if (caCerts === undefined) return { socket: tcp, tcp };
  tcp.on("error", () => {});
  const socket = tls.connect({
    socket: tcp,
    servername: "localhost",
    ca: [...caCerts],
    ALPNProtocols: [alpn],
  });
  return { socket, tcp };
}

/** Takes nothing more in, so that the kernel's buffers fill up: TLS would read on by itself. */
export function stopReading({ tcp, socket }: RawSocket): void {
  socket.pause();
  (tcp as unknown as { _handle: { readStop(): void } })._handle.readStop();
}
