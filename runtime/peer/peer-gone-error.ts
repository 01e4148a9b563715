/** The process on the other end has ended, so there is nobody to serve and nothing to know. */
export class PeerGoneError extends Error {
  override readonly name = "PeerGoneError";
}
