// RFC 9112 §3.2: the four forms of a request target, and the Host field.

// RFC 3986 §3.2.2: IP-literal / IPv4address / reg-name. The name is not empty: RFC 9110 §4.2.1.
const HOST = String.raw`(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)`;
const AUTHORITY = new RegExp(`^${HOST}(?::[0-9]*)?$`);
const AUTHORITY_FORM = new RegExp(`^${HOST}:[0-9]{1,5}$`);
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/**
 * Whether this is `uri-host [":" port]` with a host that is not empty and no userinfo: what a Host
 * field may hold. RFC 9110 §7.2, §4.2.4.
 */
export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text);
}

/**
 * Whether a request with this method may have this target, RFC 9112 §3.2: CONNECT has the
 * authority-form and no other method has, only OPTIONS has "*", and the rest is a path or an
 * absolute URI. Visible ASCII only, and no fragment.
 */
export function isRequestTarget(method: string, target: string): boolean {
  if (!isVisible(target)) return false;
  if (method === "CONNECT") return AUTHORITY_FORM.test(target);
  if (target === "*") return method === "OPTIONS";
  if (target.charCodeAt(0) === 0x2f) return true;
  const scheme = SCHEME.exec(target);
  if (scheme === null) return false;
  const rest = target.slice(scheme[0].length);
  const end = rest.search(/[/?]/);
  return isAuthority(end < 0 ? rest : rest.slice(0, end));
}

/** RFC 9112 §3.2: no white space in a target. RFC 9110 §4.1: it has no fragment. */
function isVisible(target: string): boolean {
  for (let i = 0; i < target.length; i++) {
    const c = target.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || c === 0x23) return false;
  }
  return target.length > 0;
}
