import type { CsrRefusal } from "./svid-preparation.ts";

/** One SVID that was signed, or why it was not. */
export type SignedSvid =
  | { readonly certificateDer: Uint8Array }
  | { readonly refusal: CsrRefusal; readonly message: string };

/** SVIDs under way: being checked and built, to be signed when the caller says so. */
export interface SigningJob {
  /** Signs what passed the checks; answers item by item. To be called once, when the intent is durable. */
  sign(): Promise<readonly SignedSvid[]>;
  /** Gives up: nothing is signed. */
  drop(): void;
}
