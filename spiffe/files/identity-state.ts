import type { BundleSet } from "../bundle/bundle-set.ts";
import type { X509Svid } from "../svid/x509-svid.ts";

/** Everything that files are made of, at one moment. */
export interface IdentityState {
  readonly svid: X509Svid;
  /** X.509 authorities, foreign trust domains included. */
  readonly bundles: BundleSet;
  /** JWT authorities; empty where no file needs them. */
  readonly jwtBundles: BundleSet;
  /** JWT-SVIDs by the name of their file. */
  readonly tokens: ReadonlyMap<string, string>;
}

/** How it stands with the identity. */
export type IdentityStanding =
  /** Something has not come yet. */
  | { readonly kind: "waiting" }
  | { readonly kind: "held"; readonly state: IdentityState }
  /** The Workload API does not grant it. `wasHeld` tells whether it was held since we began: files may be older than that. */
  | { readonly kind: "withdrawn"; readonly wasHeld: boolean };
