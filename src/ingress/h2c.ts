// RFC 7540 §3.2: which requests of HTTP/1.1 may switch to HTTP/2 in clear text.
import { hasConnectionOption } from "../protocol/http1/connection.ts";
import type { RequestEvent } from "../protocol/http1/request_sequence.ts";
import { requestUri } from "../protocol/http1/target.ts";
import { offersH2c } from "../protocol/http1/upgrade.ts";
import { readHttp2Settings, type Upgrade } from "../protocol/http2/upgrade.ts";
import { type Field, getFields } from "../protocol/wire/field.ts";

const HTTP2_SETTINGS = "http2-settings";

/**
 * What HTTP/2 begins with, where a request that came in clear text asks for it and all of it is
 * right; `null` where it is served as if it had not asked (RFC 9110 §7.8: Upgrade may be ignored).
 * So is one with content, which would have to be read before, one for a tunnel, and the last one.
 */
export function h2cOf({ head, framing, upgrade, persistent }: RequestEvent): Upgrade | null {
  if (framing !== 0 || upgrade !== null || !persistent || !offersH2c(head)) return null;
  const settings = settingsOf(head.fields);
  if (settings === null) return null;
  const { method } = head;
  // RFC 9112 §3.2.2: beside an absolute URI, Host is ignored.
  const fields = head.fields.filter(([name]) => name !== "host");
  const { authority, path } = requestUri(head);
  return { settings, request: { method, scheme: "http", authority, path, protocol: null, fields } };
}

/** RFC 7540 §3.2.1: HTTP2-Settings comes once, and Connection names it; else nothing is upgraded. */
function settingsOf(fields: readonly Field[]): Uint8Array | null {
  const values = getFields(fields, HTTP2_SETTINGS);
  if (values.length !== 1 || !hasConnectionOption(fields, HTTP2_SETTINGS)) return null;
  return readHttp2Settings(values[0]);
}
