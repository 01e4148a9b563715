import { createHash } from "node:crypto";
import type { DiscoveryRequest } from "../../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { WorkloadIdentity, WorkloadView } from "../../cache/workload-view.ts";
import { readProxy, type SdsProxy } from "./proxy.ts";
import { type Any, SECRET_TYPE_URL } from "./secret-messages.ts";
import type { SecretKind, SecretSource } from "./secret-source.ts";

/** An answer to send. */
export interface SecretsResponse {
  readonly versionInfo: string;
  readonly resources: Any[];
  readonly typeUrl: string;
  readonly nonce: string;
}

/** An answer that the proxy could not use. */
export interface Rejection {
  readonly nodeId: string;
  readonly names: readonly string[];
  /** The proxy's own words, cut off where they get long. */
  readonly reason: string;
}

export interface SecretStreamDeps {
  readonly source: SecretSource;
  readonly disableSpiffeValidator: boolean;
  readonly onRejected: (rejection: Rejection) => void;
}

/** Names on one stream; an Envoy asks for a few. */
const maxNames = 1_000;
/** A SPIFFE ID has at most 2048 bytes (SPIFFE-ID 2.4). */
const maxNameCharacters = 2_048;
const reasonCharacters = 500;

interface Sent {
  readonly kind: SecretKind;
  readonly packed: Any;
}

/**
 * What one stream has asked for and been sent: the state-of-the-world protocol for one type, as far as it concerns the server. Each
 * answer has only what changed; an acknowledgement is a request that repeats the names; a rejected answer is not sent again
 * before its content changes.
 */
export class SecretStream {
  readonly #deps: SecretStreamDeps;
  #proxy: SdsProxy;
  #hasNode = false;
  /** Names asked for; undefined before the first request. */
  #names: ReadonlySet<string> | undefined;
  /** The first request named nothing: everything is wanted. */
  #wantsAll = false;
  readonly #sent = new Map<string, Sent>();
  /** The first request told of secrets that an earlier stream brought: of an agent before this one, or before a broken connection. */
  #isResumed = false;
  #nonce = 0;
  #rejectedNonce = 0;
  #lastNames: readonly string[] = [];

  constructor(deps: SecretStreamDeps) {
    this.#deps = deps;
    this.#proxy = readProxy(undefined, deps.disableSpiffeValidator);
  }

  /** Whether anything was sent under the names that are asked for. */
  get holdsSecrets(): boolean {
    return this.#sent.size > 0;
  }

  /** Whether the proxy may hold something, from an earlier stream, of which this stream has not told it anything. */
  get isInDoubt(): boolean {
    return this.#isResumed && this.missing().length > 0;
  }

  /** @throws {StatusError} INVALID_ARGUMENT */
  take(request: DiscoveryRequest): void {
    checkRequest(request);
    if (request.node !== undefined && !this.#hasNode) {
      this.#proxy = readProxy(request.node, this.#deps.disableSpiffeValidator);
      this.#hasNode = true;
    }
    const isFirst = this.#names === undefined;
    // About an answer that is not the last one: what the proxy wants now comes with the next request.
    const expected = this.#nonce === 0 ? "" : String(this.#nonce);
    if (!isFirst && request.responseNonce !== expected) return;
    if (isFirst) this.#isResumed = request.versionInfo !== "";
    if (request.errorDetail !== undefined && this.#rejectedNonce < this.#nonce) {
      this.#rejectedNonce = this.#nonce;
      const reason = request.errorDetail.message.slice(0, reasonCharacters);
      this.#deps.onRejected({ nodeId: this.#proxy.id, names: this.#lastNames, reason });
    }
    const names = new Set(request.resourceNames);
    if (isFirst) this.#wantsAll = names.size === 0;
    else if (names.size > 0) this.#wantsAll = false;
    this.#names = names;
    // Asked for again later, it is to be sent again.
    if (!this.#wantsAll)
      for (const name of this.#sent.keys()) if (!names.has(name)) this.#sent.delete(name);
  }

  /**
   * The answer that a view calls for, or undefined when the proxy has it all.
   *
   * @param isCurrent whether a server has confirmed the view, so that what it lacks is not to come in a moment
   */
  answer(view: WorkloadView, isCurrent = false): SecretsResponse | undefined {
    if (this.#names === undefined) return undefined;
    const { source } = this.#deps;
    const wanted = this.#wantsAll
      ? new Set([...source.allNames(view, this.#proxy), ...this.#sent.keys()])
      : this.#names;
    const changed: string[] = [];
    for (const name of wanted) if (this.#update(name, view, isCurrent)) changed.push(name);
    if (changed.length === 0) return undefined;
    this.#lastNames = changed;
    this.#nonce += 1;
    const resources = changed.flatMap((name) => this.#sent.get(name)?.packed ?? []);
    return {
      versionInfo: versionOf(resources),
      resources,
      typeUrl: SECRET_TYPE_URL,
      nonce: String(this.#nonce),
    };
  }

  /** The identities of a view that have been sent as they are in it. */
  delivered(view: WorkloadView): readonly WorkloadIdentity[] {
    const sent = new Set(this.#sent.values().map(({ packed }) => packed));
    return view.identities.filter((identity) =>
      this.#deps.source.packedOf(identity).some((packed) => sent.has(packed)),
    );
  }

  /** Names that the proxy waits for. */
  missing(): string[] {
    return [...(this.#names ?? [])].filter((name) => !this.#sent.has(name));
  }

  /** Whether the proxy has to be told something new under this name. */
  #update(name: string, view: WorkloadView, isCurrent: boolean): boolean {
    const { source } = this.#deps;
    const known = this.#sent.get(name);
    const found = source.find(name, view, this.#proxy);
    if (found !== undefined) {
      if (found.packed === known?.packed) return false;
      this.#sent.set(name, found);
      return true;
    }
    const isOfBefore = this.#isResumed && isCurrent;
    const kind = known?.kind ?? (isOfBefore ? source.kindOf(name) : undefined);
    if (kind === undefined || !source.isWithdrawn(name, kind, view)) return false;
    const packed = source.withdrawn(name, kind);
    if (packed === known?.packed) return false;
    this.#sent.set(name, { kind, packed });
    return true;
  }
}

/** @throws {StatusError} INVALID_ARGUMENT when the request is not one that this service can answer */
export function checkRequest({ typeUrl, resourceNames }: DiscoveryRequest): void {
  if (typeUrl !== "" && typeUrl !== SECRET_TYPE_URL) {
    throw invalidArgument(`only resources of type ${SECRET_TYPE_URL} are served`);
  }
  if (resourceNames.length > maxNames) {
    throw invalidArgument(`at most ${maxNames} names may be asked for`);
  }
  if (resourceNames.some((name) => name === "" || name.length > maxNameCharacters)) {
    throw invalidArgument(`a name has 1 to ${maxNameCharacters} characters`);
  }
}

/** The same for the same content, so that logs and the proxy's statistics show what is a change. */
function versionOf(resources: readonly Any[]): string {
  const hash = createHash("sha256");
  for (const { value } of resources) hash.update(value);
  return hash.digest("hex").slice(0, 16);
}
