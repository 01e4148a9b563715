import type { BundleRecord } from "../records.ts";
import type { ItemResult, Operation, Page, PageRequest } from "./operation.ts";

/** What happens to entries that federate with a bundle's trust domain when the bundle goes. */
export type BundleDeletion = "restrict" | "delete" | "dissociate";

/** "create" refuses one that exists, "update" one that does not, "set" takes both. */
export type BundleWrite = "create" | "update" | "set";

/** A part of a bundle that can be written by itself. */
export type BundleField = Exclude<keyof BundleRecord, "trustDomain">;

export interface BundleWrites {
  /**
   * Writes bundles, or only the given fields of bundles that exist. ALREADY_EXISTS, NOT_FOUND "bundle not found". Writing what is
   * there already changes nothing.
   */
  writeBundles: Operation<
    {
      readonly bundles: readonly BundleRecord[];
      readonly mode: BundleWrite;
      readonly fields?: readonly BundleField[];
    },
    readonly ItemResult<BundleRecord>[]
  >;
  /**
   * Deletes bundles. NOT_FOUND "bundle not found"; with "restrict", FAILED_PRECONDITION while entries federate with it.
   * "delete" deletes those entries, "dissociate" takes the trust domain out of them.
   */
  deleteBundles: Operation<
    { readonly trustDomains: readonly string[]; readonly mode: BundleDeletion },
    readonly ItemResult<BundleRecord>[]
  >;
}

export interface BundleReads {
  getBundle: Operation<{ readonly trustDomain: string }, BundleRecord | undefined>;
  /** In order of trust domain. The own bundle is among them unless it is named in `except`. */
  listBundles: Operation<
    { readonly except?: string; readonly page: PageRequest },
    Page<BundleRecord>
  >;
  countBundles: Operation<Record<string, never>, number>;
}
