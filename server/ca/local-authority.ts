import { invalidArgument, unimplemented } from "../../runtime/errors/status-error.ts";
import { keyListOf } from "../bundle/bundle-change.ts";
import type { LocalBundle } from "../bundle/local-bundle.ts";
import type { AuthorityKind, AuthorityRecord } from "../store/records.ts";
import type { Authorities, AuthorityCause } from "./authorities.ts";
import { slotsOf } from "./authority-transitions.ts";

/** An authority as the local authority API shows it. */
export interface AuthorityStatus {
  readonly authorityId: string;
  readonly expiresAt: Date;
  /** Empty when the authority signed its own certificate. */
  readonly upstreamAuthorityId: string;
}

/** Which authority signs, which is next, which was before. */
export interface AuthorityStatuses {
  readonly active?: AuthorityStatus;
  readonly prepared?: AuthorityStatus;
  readonly old?: AuthorityStatus;
}

/** Authorities by hand. Every method throws UNIMPLEMENTED for a kind that this server has no authorities of. */
export class LocalAuthority {
  readonly #authorities: Authorities;
  readonly #bundle: Pick<LocalBundle, "record">;

  constructor(authorities: Authorities, bundle: Pick<LocalBundle, "record">) {
    this.#authorities = authorities;
    this.#bundle = bundle;
  }

  state(kind: AuthorityKind): AuthorityStatuses {
    this.#checkKind(kind);
    const { active, prepared, old } = slotsOf(this.#authorities.list(kind));
    return {
      ...(active === undefined ? {} : { active: statusOf(active) }),
      ...(prepared === undefined ? {} : { prepared: statusOf(prepared) }),
      ...(old === undefined ? {} : { old: statusOf(old) }),
    };
  }

  /** Replaces an authority that was prepared before and not yet activated. */
  async prepare(kind: AuthorityKind, cause: AuthorityCause): Promise<AuthorityStatus> {
    this.#checkKind(kind);
    return statusOf(await this.#authorities.prepare(kind, cause));
  }

  /** @throws {StatusError} INVALID_ARGUMENT "unexpected authority ID" unless it is the prepared one */
  async activate(kind: AuthorityKind, id: string, cause: AuthorityCause): Promise<AuthorityStatus> {
    this.#checkKind(kind);
    return statusOf(await this.#authorities.activate(kind, id, cause));
  }

  /** @throws {StatusError} INVALID_ARGUMENT unless it is an old one */
  async taint(kind: AuthorityKind, id: string, cause: AuthorityCause): Promise<AuthorityStatus> {
    this.#checkKind(kind);
    return statusOf(await this.#authorities.taint(kind, id, cause));
  }

  /** Of token authorities also those that a nested server published. @throws {StatusError} INVALID_ARGUMENT unless it is an old one */
  async revoke(kind: AuthorityKind, id: string, cause: AuthorityCause): Promise<AuthorityStatus> {
    this.#checkKind(kind);
    const isOwn = this.#authorities.list(kind).some((one) => one.id === id);
    if (kind === "x509" || isOwn) {
      return statusOf(await this.#authorities.revoke(kind, id, cause));
    }
    const foreign = this.#bundle.record[keyListOf(kind)].find(({ keyId }) => keyId === id);
    if (foreign === undefined) {
      throw invalidArgument(id === "" ? "no authority ID provided" : "unexpected authority ID");
    }
    await this.#authorities.revokeForeignKey(kind, id, cause);
    const expiresAt = new Date(foreign.expiresAt * 1000);
    return { authorityId: id, expiresAt, upstreamAuthorityId: "" };
  }

  #checkKind(kind: AuthorityKind): void {
    if (this.#authorities.kinds.includes(kind)) return;
    throw unimplemented(`${kind.toUpperCase()} functionality is disabled`);
  }
}

function statusOf({ id, notAfter, upstreamAuthorityId }: AuthorityRecord): AuthorityStatus {
  return { authorityId: id, expiresAt: new Date(notAfter * 1000), upstreamAuthorityId };
}
