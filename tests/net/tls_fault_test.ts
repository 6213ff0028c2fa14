// The texts and codes are those that Deno 2.9.6 gives; tests/client/failure_test.ts sees some of them
// come.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { type TlsFault, tlsFaultOf } from "../../src/net/tls_fault.ts";

const QUIC = "the cryptographic handshake failed: error";

const ROWS: { want: TlsFault; code?: string; message: string }[] = [
  { want: "name", code: "ERR_TLS_CERT_ALTNAME_INVALID", message: "Hostname/IP does not match" },
  {
    want: "issuer",
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    message: "unable to verify the first",
  },
  {
    want: "issuer",
    code: "SELF_SIGNED_CERT_IN_CHAIN",
    message: "self-signed certificate in chain",
  },
  { want: "expired", code: "CERT_HAS_EXPIRED", message: "certificate has expired" },
  { want: "plain", code: "ERR_SSL_WRONG_VERSION_NUMBER", message: "received corrupt message" },
  {
    want: "alpn",
    code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    message: "received fatal alert: NoApplicationProtocol",
  },
  {
    want: "name",
    message: `${QUIC} 42: invalid peer certificate: certificate not valid for name "a.example"; ` +
      'certificate is only valid for DnsName("localhost")',
  },
  { want: "issuer", message: `${QUIC} 48: invalid peer certificate: UnknownIssuer` },
  { want: "expired", message: `${QUIC} 45: invalid peer certificate: certificate expired: verif` },
  {
    want: "alpn",
    message: `aborted by peer: ${QUIC} 120: peer doesn't support any known protocol`,
  },
  { want: "wanted", message: "received fatal alert: CertificateRequired" },
  { want: "other", message: "received fatal alert: DecodeError" },
];

for (const { want, code, message } of ROWS) {
  Deno.test(`tls fault: ${want}: ${code ?? message.slice(-30)}`, () => {
    const cause = Object.assign(new Error(message), code === undefined ? {} : { code });
    assert.equal(tlsFaultOf(cause), want);
    assert.equal(tlsFaultOf(new NetError("tls", "it failed", cause)), want);
  });
}
