import { create } from "@bufbuild/protobuf";
import {
  BundleSchema,
  type Bundle as WireBundle,
} from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { BundleRecord, KeyAuthorityRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

const PAGE_SIZE = 1000;

/** Told of a bundle that changed, was added, or is gone. */
export type BundleListener = (trustDomain: string) => void;

/**
 * All bundles, our own and those of federated trust domains, as the messages that clients get. Each message is made once and is
 * the same object until its bundle changes, so that it can be encoded once for everybody.
 */
export class BundleMessages implements Disposable {
  readonly #byTrustDomain = new Map<string, WireBundle>();
  readonly #listeners = new Set<BundleListener>();
  #commits: Disposable | undefined;

  /** Reads all bundles, and follows every change from then on. */
  static async open(store: Pick<Store, "read" | "onCommit">): Promise<BundleMessages> {
    const bundles = new BundleMessages();
    const changed = new Set<string>();
    bundles.#commits = store.onCommit(({ changes }) => {
      for (const change of changes) {
        if (change.kind !== "bundle") continue;
        changed.add(change.id);
        bundles.#put(change.id, change.after);
      }
    });
    let pageToken: string | undefined;
    do {
      const page = { pageSize: PAGE_SIZE, ...(pageToken === undefined ? {} : { pageToken }) };
      const { items, nextPageToken } = await store.read("listBundles", { page });
      // What a commit has told meanwhile is newer than what the query saw.
      for (const record of items) {
        if (!changed.has(record.trustDomain)) bundles.#put(record.trustDomain, record);
      }
      pageToken = nextPageToken;
    } while (pageToken !== undefined);
    return bundles;
  }

  /** The bundle of a trust domain. Not to be changed. */
  get(trustDomain: string): WireBundle | undefined {
    return this.#byTrustDomain.get(trustDomain);
  }

  /** Of whom there are bundles, our own trust domain included. */
  get trustDomains(): readonly string[] {
    return [...this.#byTrustDomain.keys()];
  }

  /** Calls `listener` after each change, in the commit that makes it. */
  onChange(listener: BundleListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#commits?.[Symbol.dispose]();
  }

  #put(trustDomain: string, record: BundleRecord | undefined): void {
    if (record === undefined) this.#byTrustDomain.delete(trustDomain);
    else this.#byTrustDomain.set(trustDomain, encodeBundleRecord(record));
    for (const listener of this.#listeners) listener(trustDomain);
  }
}

/** Writes a bundle of the store as the message that every client knows. */
export function encodeBundleRecord(record: BundleRecord): WireBundle {
  return create(BundleSchema, {
    trustDomain: record.trustDomain,
    x509Authorities: record.x509Authorities.map(({ certificateDer, tainted }) => ({
      asn1: certificateDer,
      tainted,
    })),
    jwtAuthorities: record.jwtAuthorities.map(encodeKey),
    witAuthorities: record.witAuthorities.map(encodeKey),
    refreshHint: BigInt(record.refreshHintSeconds),
    sequenceNumber: record.sequence,
  });
}

function encodeKey({ keyId, publicKeyDer, expiresAt, tainted }: KeyAuthorityRecord) {
  return { keyId, publicKey: publicKeyDer, expiresAt: BigInt(expiresAt), tainted };
}
