/** A case of h2spec's that does not pass at a door, and why that is right. */
export interface H2specException {
  readonly door: "h2c" | "h2";
  /** As h2spec's report names it. */
  readonly package: string;
  readonly title: string;
  /** The RFC's own words. */
  readonly because: string;
}

/** Every case that does not pass. Over TLS, where ALPN has chosen HTTP/2, there is none. */
export const H2SPEC_EXCEPTIONS: readonly H2specException[] = [
  {
    door: "h2c",
    package: "http2/3.5",
    title: "Sends invalid connection preface",
    // In clear text both versions share a port, and the preface alone tells that it is HTTP/2. What
    // begins otherwise is a request of HTTP/1.1: the connection gets "HTTP/1.1 400" and is closed.
    // h2spec reads those words as the head of a frame.
    because: 'RFC 9113 §3.4: "A GOAWAY frame (Section 6.8) MAY be omitted in this case, since an ' +
      'invalid preface indicates that the peer is not using HTTP/2."',
  },
];
