/** The agent's half of one method of node attestation. */
export interface NodeAttestor {
  /** Name of the method on the wire, for example "x509pop". */
  readonly type: string;
  /**
   * The first payload, or undefined when there is nothing that could prove this node now, for example since a join token has
   * been used up.
   *
   * @throws {Error} when what the configuration names cannot be read
   */
  payload(): Promise<Uint8Array | undefined>;
  /** Answers one challenge. @throws {Error} when the challenge is not what the method asks */
  answer(challenge: Uint8Array): Promise<Uint8Array>;
}
