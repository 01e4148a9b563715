/** What a demo service tells the tour guide. */
export type Report =
  /** It has an identity, for the first time or anew; `serial` and `issuer` are hexadecimal. */
  | {
      readonly kind: "identity";
      readonly id: string;
      readonly serial: string;
      readonly issuer: string;
    }
  /** It has none any more. */
  | { readonly kind: "withdrawn" }
  | { readonly kind: "listening"; readonly port: number }
  /** A request was answered; `peer` is whom the other side saw. */
  | { readonly kind: "answered"; readonly peer: string }
  | { readonly kind: "refused"; readonly reason: string };

/** What the guide asks of the demo's client. */
export type Order = { readonly kind: "call"; readonly port: number };
