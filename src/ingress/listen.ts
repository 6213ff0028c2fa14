import { NetError, toNetError } from "../net/error.ts";

/** Where something listens. */
export interface ListenAddress {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** 0 for any that is free. */
  port: number;
}

/** A port can't be listened at, or a certificate not be used there. */
export class ListenError extends NetError {
  /** The name of the class. */
  override name = "ListenError";
  /** What was to be listened at: `listen` is both. */
  readonly transport: "UDP" | "TCP";
  /** Where. */
  readonly address: ListenAddress;

  /** An error whose kind and message are those of its cause. */
  constructor(transport: "UDP" | "TCP", address: ListenAddress, cause: unknown) {
    const { kind, message } = toNetError(cause);
    super(kind, message, cause);
    this.transport = transport;
    this.address = address;
  }
}
