import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";

/** A trust bundle in the forms that the Workload API hands out. The buffers are shared: never change them. */
export interface CachedBundle {
  /** Name of the trust domain, without scheme. */
  readonly trustDomain: string;
  /** X.509 authorities, each ASN.1 DER, concatenated. */
  readonly x509AuthoritiesDer: Uint8Array;
  /** The bundle as the server sent it. */
  readonly wire: Bundle;
}
