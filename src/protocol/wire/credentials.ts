/** Who a client says that it is, and what shall prove it. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}
