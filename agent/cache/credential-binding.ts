/** Says which instance holds which credential from now on. */
export interface CredentialBinding {
  /** Serial number in lower-case hexadecimal, or a JWT's jti. */
  readonly credential: string;
  readonly entryId: string;
  readonly spiffeId: string;
  readonly instance: string;
  readonly executable: string | undefined;
  readonly boundAt: Date;
}
