import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { Certificate } from "../../spiffe/x509/certificate.ts";
import type { IdentityCaller } from "../api/caller.ts";
import { ALL_GRANTS, type Grants } from "../config/roles.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

type Flags = Pick<AuthorizedEntryRecord, "id" | "spiffeId" | "admin" | "downstream">;

/** An identity other than an agent on a connection. Its grants follow the configuration and the entries of its ID. */
export class LiveIdentity implements IdentityCaller {
  readonly kind = "identity";
  readonly id: string;
  readonly serialNumber: string;
  readonly address: string;
  readonly #grantsOf: (spiffeId: string) => Grants;
  readonly #entries = new Map<string, Flags>();
  readonly #changed = new Set<string>();

  constructor(o: {
    readonly id: SpiffeId;
    readonly leaf: Certificate;
    readonly address: string;
    readonly grantsOf: (spiffeId: string) => Grants;
  }) {
    this.id = o.id.toString();
    this.serialNumber = o.leaf.serialNumberHex;
    this.address = o.address;
    this.#grantsOf = o.grantsOf;
  }

  /** Every role for identities of entries with the admin flag, as stock clients expect it; else what is configured. */
  get grants(): Grants {
    const isAdmin = [...this.#entries.values()].some(({ admin }) => admin);
    return isAdmin ? ALL_GRANTS : this.#grantsOf(this.id);
  }

  get downstreamEntryId(): string | undefined {
    return [...this.#entries.values()].find(({ downstream }) => downstream)?.id;
  }

  /** An entry as it is after a commit; undefined when it is gone. */
  change(entryId: string, entry: Flags | undefined): void {
    this.#changed.add(entryId);
    if (entry === undefined || entry.spiffeId !== this.id) this.#entries.delete(entryId);
    else this.#entries.set(entryId, entry);
  }

  /** The entries that a query found. Those that a commit has told about meanwhile are passed over. */
  offer(entries: readonly Flags[]): void {
    for (const entry of entries) {
      if (!this.#changed.has(entry.id)) this.#entries.set(entry.id, entry);
    }
  }
}
