/** A JWT-SVID as the server signed it. The token is a secret. */
export interface JwtSvid {
  readonly token: string;
  readonly spiffeId: string;
  readonly hint: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}
