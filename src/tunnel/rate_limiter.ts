// What of the library is loaded where something is limited. As `observe/prom.ts`: in a bundle in
// parts its names are there by a module of ours alone.
export { RateLimiterMemory, RateLimiterQueue } from "rate-limiter-flexible";
