// What of the library is loaded at the first scrape. A module of ours asks for it by name: of a
// package in CommonJS that is imported itself, a bundle in parts gives no names.
export { Counter, Gauge, Registry } from "prom-client";
