import { invalidArgument, unimplemented } from "../../runtime/errors/status-error.ts";
import { keyListOf } from "../bundle/bundle-change.ts";
import type { LocalBundle } from "../bundle/local-bundle.ts";
import type { JwsAlgorithm } from "../keymanager/key-type.ts";
import type { AuthorityKind, AuthorityRecord, AuthorityState } from "../store/records.ts";
import type { Authorities, AuthorityCause } from "./authorities.ts";
import { type AuthorityLane, laneOf } from "./authority-lane.ts";
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

/** One of all authorities, as our own API shows it. */
export interface ListedAuthority extends AuthorityStatus {
  readonly kind: AuthorityKind;
  /** Of JWT authorities only. */
  readonly algorithm?: JwsAlgorithm;
  readonly state: AuthorityState;
}

/**
 * Authorities by hand. Every method throws UNIMPLEMENTED for a kind that this server has no authorities of. Where there are JWT
 * authorities of several algorithms, the first configured one is meant unless another is named; an ID names its own.
 */
export class LocalAuthority {
  readonly #authorities: Authorities;
  readonly #bundle: Pick<LocalBundle, "record">;

  constructor(authorities: Authorities, bundle: Pick<LocalBundle, "record">) {
    this.#authorities = authorities;
    this.#bundle = bundle;
  }

  state(kind: AuthorityKind): AuthorityStatuses {
    const lane = this.#laneOf(kind);
    const { active, prepared, old } = slotsOf(this.#authorities.inLane(lane));
    return {
      ...(active === undefined ? {} : { active: statusOf(active) }),
      ...(prepared === undefined ? {} : { prepared: statusOf(prepared) }),
      ...(old === undefined ? {} : { old: statusOf(old) }),
    };
  }

  /** Replaces an authority that was prepared before and not yet activated. */
  async prepare(
    kind: AuthorityKind,
    cause: AuthorityCause,
    algorithm?: JwsAlgorithm,
  ): Promise<ListedAuthority> {
    const lane = this.#laneOf(kind, algorithm);
    return listed(await this.#authorities.prepare(lane, cause));
  }

  /** All there are, by kind and in order of their making. */
  list(): readonly ListedAuthority[] {
    return KINDS.flatMap((kind) => this.#authorities.list(kind)).map(listed);
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

  #laneOf(kind: AuthorityKind, algorithm?: JwsAlgorithm): AuthorityLane {
    this.#checkKind(kind);
    const lane = this.#authorities.lane(kind, algorithm);
    if (lane !== undefined) return lane;
    throw invalidArgument(`algorithm: there are no ${algorithm} authorities here`);
  }

  #checkKind(kind: AuthorityKind): void {
    if (this.#authorities.lane(kind) !== undefined) return;
    throw unimplemented(`${kind.toUpperCase()} functionality is disabled`);
  }
}

const KINDS: readonly AuthorityKind[] = ["x509", "jwt", "wit"];

function listed(record: AuthorityRecord): ListedAuthority {
  const { kind, state } = record;
  const { algorithm } = laneOf(record);
  return { ...statusOf(record), kind, state, ...(algorithm === undefined ? {} : { algorithm }) };
}

function statusOf({ id, notAfter, upstreamAuthorityId }: AuthorityRecord): AuthorityStatus {
  return { authorityId: id, expiresAt: new Date(notAfter * 1000), upstreamAuthorityId };
}
