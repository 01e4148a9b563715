/**
 * Keeps a trust bundle up to date in one Kubernetes cluster: in the ConfigMap that agents mount to know their first server, in those of
 * labelled namespaces, and in a ClusterTrustBundle. It works from what changed: the bundle, or a namespace. Objects are ours by name;
 * the API server's permissions see to it that nothing else can be written.
 */
import { describeError } from "../../../runtime/errors/describe.ts";
import { Feed, type ReadFeed } from "../../../runtime/feed.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Random } from "../../../runtime/random.ts";
import { Backoff } from "../../../runtime/time/backoff.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { Bundle } from "../../../spiffe/bundle/bundle.ts";
import type { ClusterPublisherSettings } from "../../config/publisher-settings.ts";
import { fieldOf, type KubeClient } from "../../k8s/kube-client.ts";
import { isKubeError } from "../../k8s/kube-error.ts";
import type { Namespace } from "../../k8s/objects/namespace.ts";
import type { CacheEvent } from "../../k8s/watch-cache.ts";
import {
  CLUSTER_ROLES,
  CLUSTER_TRUST_BUNDLES,
  CONFIG_MAPS,
  clusterTrustBundleOf,
  configMapOf,
  type OwningRole,
} from "./bundle-objects.ts";

/** The namespaces of a cluster, as a watch keeps them. */
export interface Namespaces {
  get(name: string): Namespace | undefined;
  values(): Iterable<Namespace>;
  onEvent(listener: (event: CacheEvent<Namespace>) => void): Disposable;
}

export interface BundlePublisherDeps {
  readonly client: Pick<KubeClient, "get" | "apply" | "delete">;
  readonly namespaces: Namespaces;
  readonly bundle: ReadFeed<Bundle>;
  readonly settings: ClusterPublisherSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const LABEL = { key: "assay.dev/bundle", value: "enabled" };
const FIELD_MANAGER = "assay-server";
const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 30_000;
/** What somebody has changed or deleted by hand is put right at the latest then. */
const REPAIR_MS = 10 * 60_000;

/** Stands for the ClusterTrustBundle among the names of namespaces, none of which has a slash. */
const WHOLE_CLUSTER = "/";

/** Publishes in one cluster until `signal` aborts. An API server that is away makes it late, and ends nothing. */
export async function runBundlePublisher(
  deps: BundlePublisherDeps,
  signal: AbortSignal,
): Promise<void> {
  await new BundlePublisher(deps).run(signal);
}

class BundlePublisher {
  readonly #deps: BundlePublisherDeps;
  /** What is to be brought up to date. */
  readonly #stale = new Set<string>();
  readonly #bell = new Feed<undefined>(undefined);
  /** What could not be, and waits for its next turn; it holds up nothing else. */
  readonly #failed = new Set<string>();
  readonly #failures = new Feed<undefined>(undefined);
  /** Namespaces that have what we published; what was published before a restart is not known. */
  readonly #published = new Set<string>();
  readonly #backoff: Backoff;

  constructor(deps: BundlePublisherDeps) {
    const { random } = deps;
    this.#deps = deps;
    this.#backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
  }

  async run(signal: AbortSignal): Promise<void> {
    using _ = this.#deps.namespaces.onEvent((event) => this.#noteNamespace(event));
    await Promise.all([
      this.#followBundle(signal),
      this.#repair(signal),
      this.#retry(signal),
      this.#work(signal),
    ]);
  }

  #noteNamespace(event: CacheEvent<Namespace>): void {
    if (event.kind === "listed") return;
    const { name } = event.kind === "removed" ? event.was : event.now;
    if (event.kind === "removed") this.#published.delete(name);
    else if (this.#isWanted(name) !== this.#published.has(name)) this.#note(name);
  }

  async #followBundle(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#deps.bundle.subscribe(signal)) this.#noteAll();
  }

  async #repair(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(REPAIR_MS, signal);
      this.#noteAll();
    }
  }

  #noteAll(): void {
    const { settings, namespaces } = this.#deps;
    this.#stale.add(settings.namespace);
    if (settings.clusterTrustBundle !== undefined) this.#stale.add(WHOLE_CLUSTER);
    for (const { name } of namespaces.values()) if (this.#isWanted(name)) this.#stale.add(name);
    this.#bell.set(undefined);
  }

  #note(namespace: string): void {
    this.#stale.add(namespace);
    this.#bell.set(undefined);
  }

  /** Its own namespace always: whether it has been seen yet says nothing. */
  #isWanted(namespace: string): boolean {
    const { settings, namespaces } = this.#deps;
    if (namespace === settings.namespace) return true;
    const found = namespaces.get(namespace);
    return (
      settings.labelledNamespaces &&
      found?.deletionTimestamp === undefined &&
      found?.labels[LABEL.key] === LABEL.value
    );
  }

  async #retry(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#failures.subscribe(signal)) {
      if (this.#failed.size === 0) continue;
      await this.#deps.clock.sleep(this.#backoff.nextMs(), signal);
      for (const place of this.#failed) this.#stale.add(place);
      this.#failed.clear();
      this.#bell.set(undefined);
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#bell.subscribe(signal)) {
      const places = [...this.#stale];
      this.#stale.clear();
      if (places.length > 0) await this.#bringUpToDate(places, signal);
    }
  }

  async #bringUpToDate(places: readonly string[], signal: AbortSignal): Promise<void> {
    const bundle = this.#deps.bundle.value;
    // Nothing can be verified by an empty bundle, and an agent would start with it. The next one is for all places.
    if (bundle.x509Authorities.length === 0) return;
    let owner: OwningRole | undefined;
    try {
      owner = await this.#findOwner(signal);
    } catch (err) {
      this.#fail(places, err, signal);
      return;
    }
    for (const place of places) {
      try {
        await this.#publish(place, bundle, owner, signal);
        this.#backoff.reset();
      } catch (err) {
        this.#fail([place], err, signal);
      }
    }
  }

  async #publish(
    place: string,
    bundle: Bundle,
    owner: OwningRole | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, settings } = this.#deps;
    if (place === WHOLE_CLUSTER) {
      const name = settings.clusterTrustBundle ?? "";
      const body = clusterTrustBundleOf(name, bundle, owner);
      await client.apply(CLUSTER_TRUST_BUNDLES, { name }, body, FIELD_MANAGER, ignore, signal);
      return;
    }
    const ref = { namespace: place, name: settings.configMap };
    if (this.#isWanted(place)) {
      const body = configMapOf(ref, bundle, owner);
      await client.apply(CONFIG_MAPS, ref, body, FIELD_MANAGER, ignore, signal);
      if (!this.#published.has(place)) this.#deps.log.info(ref, "Published the trust bundle");
      this.#published.add(place);
    } else if (this.#published.delete(place)) {
      await client.delete(CONFIG_MAPS, ref, {}, signal).catch(unlessGone);
    }
  }

  async #findOwner(signal: AbortSignal): Promise<OwningRole | undefined> {
    const { client, settings } = this.#deps;
    const { ownerClusterRole: name } = settings;
    if (name === undefined) return undefined;
    const uid = await client.get(CLUSTER_ROLES, { name }, uidOf, signal);
    return { name, uid };
  }

  #fail(places: readonly string[], err: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    for (const place of places) this.#failed.add(place);
    this.#failures.set(undefined);
    const named = places.map((place) => (place === WHOLE_CLUSTER ? "the cluster" : place));
    this.#deps.log.warn(
      { namespaces: named.slice(0, 10), reason: describeError(err) },
      "Trust bundle cannot be published",
    );
  }
}

function uidOf(raw: unknown): string {
  const uid = fieldOf(fieldOf(raw, "metadata"), "uid");
  if (typeof uid !== "string" || uid === "") throw new Error("metadata.uid: expected text");
  return uid;
}

function ignore(): void {}

function unlessGone(err: unknown): void {
  if (!isKubeError(err, "not_found")) throw err;
}
