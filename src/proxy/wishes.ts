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

/** An offer of a request that came as another one. */
interface ChangedOffer extends Offer {
  readonly asked: OfferRequest;
}

/** The request as it came. */
export function askedBy(offer: Offer | ChangedOffer): OfferRequest {
  return "asked" in offer ? offer.asked : offer.request;
}

/** The same offer of another request. */
export function withRequest(
  offer: Offer,
  request: OfferRequest,
  content: Content | null = offer.content,
): ChangedOffer {
  return {
    request,
    asked: askedBy(offer),
    content,
    onGone: (callback) => offer.onGone(callback),
    inform: (status, fields) => offer.inform(status, fields),
    accept: (fields) => offer.accept(fields),
    respond: (status, fields, body) => offer.respond(status, fields, body),
    abort: () => offer.abort(),
  };
}
