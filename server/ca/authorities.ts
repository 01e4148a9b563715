import type { AuditSubject } from "../../proto/audit/v1/record.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import {
  type BundleChange,
  keyListOf,
  publish,
  removeKey,
  taint as taintInBundle,
  withdraw,
} from "../bundle/bundle-change.ts";
import type { LocalBundle } from "../bundle/local-bundle.ts";
import type { KeyHandle, KeyManager } from "../keymanager/key-manager.ts";
import type { JwsAlgorithm } from "../keymanager/key-type.ts";
import type { AuthorityKind, AuthorityRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { openActiveAuthorities } from "./active-authorities.ts";
import type { ActiveAuthorities } from "./authority.ts";
import {
  type AuthorityKeyTypes,
  type AuthorityLane,
  allLanes,
  isSameLane,
  laneName,
  laneOf,
  wantedLanes,
} from "./authority-lane.ts";
import type { AuthorityLife } from "./authority-state.ts";
import {
  type AuthorityChange,
  activate,
  forget,
  prepare,
  retire,
  revoke,
  taint,
} from "./authority-transitions.ts";
import { authorityIdOf, makeAuthority } from "./make-authority.ts";

/** What new authorities are like. A change holds for those that are made from then on. */
export interface AuthoritySettings {
  readonly ttlSeconds: number;
  /** The kinds that this server has authorities of, each with the types of its keys. */
  readonly keyTypes: AuthorityKeyTypes;
}

/** What the authorities need. */
export interface AuthoritiesDeps {
  readonly store: Pick<Store, "read">;
  readonly bundle: LocalBundle;
  readonly keys: KeyManager;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly trustDomain: TrustDomain;
  readonly settings: AuthoritySettings;
  /** This server's name among the holders of keys. */
  readonly serverId: string;
}

/** On whose behalf an authority changes; the server's own without it. */
export interface AuthorityCause {
  readonly requestId?: string;
  readonly source?: string;
  readonly actors?: readonly AuditSubject[];
}

/**
 * The authorities of the trust domain that this server signs with, and the only way to change them. Each change is stated in the audit
 * before a key is made or used, and is stored in one transaction together with the bundle. So the bundle never lacks an authority
 * that signs. Changes run one after another.
 */
export class Authorities {
  readonly #deps: AuthoritiesDeps;
  readonly #active: Feed<ActiveAuthorities>;
  readonly #wanted: readonly AuthorityLane[];
  #records: readonly AuthorityRecord[];
  #last: Promise<unknown> = Promise.resolve();

  private constructor(deps: AuthoritiesDeps, records: readonly AuthorityRecord[]) {
    this.#deps = deps;
    this.#wanted = wantedLanes(deps.settings.keyTypes);
    this.#records = records;
    this.#active = new Feed(this.#openActive());
  }

  /**
   * Reads the authorities and finds their keys.
   *
   * @throws {Error} when a key is another one than its authority's
   */
  static async open(deps: AuthoritiesDeps): Promise<Authorities> {
    const records = await deps.store.read("listAuthorities", {});
    const authorities = new Authorities(deps, records);
    for (const record of records) {
      if (isInUse(record) && deps.keys.find(record.keyRef) === undefined) {
        const fields = { authority_id: record.id, kind: record.kind };
        deps.log.warn(fields, "Key of an authority is missing, it will be replaced");
      }
    }
    return authorities;
  }

  /** Who signs now. Changes only after the change is durable and the bundle has been published. */
  get active(): ReadFeed<ActiveAuthorities> {
    return this.#active;
  }

  /** What authorities there are to be, and what is left of earlier settings: without a type of key. */
  get lanes(): readonly AuthorityLane[] {
    return allLanes(this.#wanted, this.#records);
  }

  /** The lane of a kind, the default one without an algorithm; undefined where this server is to have no such authorities. */
  lane(kind: AuthorityKind, algorithm?: JwsAlgorithm): AuthorityLane | undefined {
    return this.#wanted.find(
      (one) => one.kind === kind && (algorithm === undefined || one.algorithm === algorithm),
    );
  }

  /** All authorities of a kind, in order of their making. */
  list(kind: AuthorityKind): readonly AuthorityRecord[] {
    return this.#records.filter((one) => one.kind === kind);
  }

  /** All authorities of a lane, in order of their making. */
  inLane(lane: AuthorityLane): readonly AuthorityRecord[] {
    return this.list(lane.kind).filter((one) => isSameLane(laneOf(one), lane));
  }

  /** The same, as the schedule looks at them. */
  lives(lane: AuthorityLane): readonly AuthorityLife[] {
    return this.inLane(lane).map(({ id, state, keyRef, notBefore, notAfter }) => ({
      id,
      state,
      notBefore: new Date(notBefore * 1000),
      notAfter: new Date(notAfter * 1000),
      hasKey: this.#deps.keys.find(keyRef) !== undefined,
    }));
  }

  /** Makes the next authority of a wanted lane and publishes it. It does not sign yet. */
  prepare(lane: AuthorityLane, cause: AuthorityCause = {}): Promise<AuthorityRecord> {
    return this.#inTurn(() => this.#prepare(lane, cause));
  }

  /** Lets the prepared authority sign in place of the active one, whose key is then destroyed. */
  activate(kind: AuthorityKind, id: string, cause: AuthorityCause = {}): Promise<AuthorityRecord> {
    return this.#change("authority.activate", kind, id, activate, () => unchanged, cause);
  }

  /** Tells everybody to replace what an old authority signed. */
  taint(kind: AuthorityKind, id: string, cause: AuthorityCause = {}): Promise<AuthorityRecord> {
    return this.#change("authority.taint", kind, id, taint, taintInBundle, cause);
  }

  /** Makes what an old authority signed invalid. */
  revoke(kind: AuthorityKind, id: string, cause: AuthorityCause = {}): Promise<AuthorityRecord> {
    return this.#change("authority.revoke", kind, id, revoke, withdraw, cause);
  }

  /** Lets an authority that is not wanted any more sign no longer. What it signed stays valid. */
  retire(kind: AuthorityKind, id: string): Promise<AuthorityRecord> {
    return this.#change("authority.retire", kind, id, retire, () => unchanged, {});
  }

  /** Takes an authority whose end is long past out of the bundle and the records. */
  forget(kind: AuthorityKind, id: string): Promise<AuthorityRecord> {
    return this.#change("authority.forget", kind, id, forget, withdraw, {});
  }

  /** Takes a token key out of the bundle that is none of ours, but was published by a server nested under this one. */
  async revokeForeignKey(kind: "jwt" | "wit", id: string, cause: AuthorityCause): Promise<void> {
    const { audit, bundle } = this.#deps;
    const ref = await audit.intent({ action: "authority.revoke", resource: id, ...auditOf(cause) });
    try {
      await bundle.change(removeKey(keyListOf(kind), id));
      audit.outcome(ref, { decision: "allow" });
    } catch (err) {
      audit.outcome(ref, { decision: "failed" });
      throw err;
    }
  }

  async #prepare(lane: AuthorityLane, cause: AuthorityCause): Promise<AuthorityRecord> {
    const { keys, random } = this.#deps;
    const { kind, keyType } = lane;
    if (keyType === undefined) throw new TypeError(`no more authorities for ${laneName(lane)}`);
    const key = await keys.generate(`${kind}-${hex(random.bytes(8))}`, keyType);
    try {
      return await this.#prepareWith(key, lane, cause);
    } catch (err) {
      await keys.remove(key.id);
      throw err;
    }
  }

  async #prepareWith(
    key: KeyHandle,
    lane: AuthorityLane,
    cause: AuthorityCause,
  ): Promise<AuthorityRecord> {
    const { kind } = lane;
    const { audit, clock, random, trustDomain, settings, serverId } = this.#deps;
    const { ttlSeconds } = settings;
    const id = authorityIdOf(kind, key);
    const details = { kind, keyType: key.type, ttlSeconds };
    const action = "authority.prepare";
    const ref = await audit.intent({ action, resource: id, details, ...auditOf(cause) });
    try {
      const now = clock.now();
      const made = await makeAuthority({ kind, trustDomain, key, now, ttlSeconds, random });
      const holder = { authorityId: id, serverId };
      await this.#store(prepare(this.inLane(lane), made), publish(made), [holder]);
      audit.outcome(ref, { decision: "allow" });
      this.#tell(made, "Prepared authority");
      return made;
    } catch (err) {
      audit.outcome(ref, { decision: "failed" });
      throw err;
    }
  }

  #change(
    action: `authority.${string}`,
    kind: AuthorityKind,
    id: string,
    transition: (records: readonly AuthorityRecord[], id: string) => AuthorityChange,
    inBundle: (authority: AuthorityRecord) => BundleChange,
    cause: AuthorityCause,
  ): Promise<AuthorityRecord> {
    return this.#inTurn(async () => {
      const { audit } = this.#deps;
      const change = transition(this.#siblingsOf(kind, id), id);
      const subject = [...change.put, ...change.remove].find((one) => one.id === id);
      if (subject === undefined) throw new TypeError(`authority ${id} does not exist`);
      const ref = await audit.intent({
        action,
        resource: id,
        details: { kind },
        ...auditOf(cause),
      });
      try {
        await this.#store(change, inBundle(subject));
        audit.outcome(ref, { decision: "allow" });
        this.#tell(subject, MESSAGES[action] ?? "Changed authority");
        return subject;
      } catch (err) {
        audit.outcome(ref, { decision: "failed" });
        throw err;
      }
    });
  }

  /** The lane of the authority of that ID; of one that does not exist, all of its kind. */
  #siblingsOf(kind: AuthorityKind, id: string): readonly AuthorityRecord[] {
    const all = this.list(kind);
    const record = all.find((one) => one.id === id);
    return record === undefined ? all : this.inLane(laneOf(record));
  }

  async #store(
    { put, remove }: AuthorityChange,
    inBundle: BundleChange,
    addHolders: readonly { readonly authorityId: string; readonly serverId: string }[] = [],
  ): Promise<void> {
    const gone = new Set(remove.map(({ id }) => id));
    await this.#deps.bundle.change(
      (bundle) => remove.reduce((rest, one) => withdraw(one)(rest), inBundle(bundle)),
      { put, remove: [...gone], addHolders },
    );
    const changed = new Map(put.map((one) => [one.id, one]));
    const kept = this.#records.filter(({ id }) => !gone.has(id) && !changed.has(id));
    this.#records = [...kept, ...put].sort((a, b) => a.createdAt - b.createdAt);
    this.#active.set(this.#openActive());
    // Whoever does not sign any more needs no key: what is not there cannot be stolen.
    for (const { keyRef } of [...put.filter((one) => !isInUse(one)), ...remove]) {
      await this.#deps.keys.remove(keyRef);
    }
  }

  #openActive(): ActiveAuthorities {
    const findKey = (ref: string) => this.#deps.keys.find(ref);
    return openActiveAuthorities(this.#records, findKey, this.lane("jwt")?.algorithm);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(act, act);
    this.#last = turn;
    return turn;
  }

  #tell(record: AuthorityRecord, message: string): void {
    const { id, kind, notAfter } = record;
    const { algorithm } = laneOf(record);
    const fields = {
      authority_id: id,
      kind,
      ...(algorithm === undefined ? {} : { algorithm }),
      expires_at: new Date(notAfter * 1000),
    };
    this.#deps.log.info(fields, message);
  }
}

const MESSAGES: Readonly<Record<string, string>> = {
  "authority.activate": "Activated authority",
  "authority.taint": "Tainted authority",
  "authority.revoke": "Revoked authority",
  "authority.retire": "Retired authority that is not configured any more",
  "authority.forget": "Forgot expired authority",
};

const unchanged: BundleChange = (bundle) => bundle;

/** Whether the authority signs, or will. */
function isInUse({ state }: AuthorityRecord): boolean {
  return state === "active" || state === "prepared";
}

function auditOf({ requestId, source, actors }: AuthorityCause) {
  return {
    requestId: requestId ?? null,
    source: source ?? "internal",
    actors: actors ?? [],
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
