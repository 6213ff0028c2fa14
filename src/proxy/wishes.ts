// What a request is for, and the same offer of another request.
import type { Content, Offer, OfferRequest } from "../ingress/offer.ts";

/** RFC 9110 §9.3.6: a tunnel to a port, of which nothing is known but its bytes. */
export function isConnect({ method, protocol }: OfferRequest): boolean {
  return method === "CONNECT" && protocol === null;
}

/** Whether bytes shall pass both ways. */
export function asksForTunnel(request: OfferRequest): boolean {
  return request.protocol !== null || isConnect(request);
}

/** The same offer of another request. */
export function withRequest(
  offer: Offer,
  request: OfferRequest,
  content: Content | null = offer.content,
): Offer {
  return {
    request,
    content,
    onGone: (callback) => offer.onGone(callback),
    inform: (status, fields) => offer.inform(status, fields),
    accept: (fields) => offer.accept(fields),
    respond: (status, fields, body) => offer.respond(status, fields, body),
    abort: () => offer.abort(),
  };
}
