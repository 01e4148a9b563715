import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Feed } from "../../../runtime/feed.ts";
import { Bundle } from "../../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../../spiffe/id/spiffe-id.ts";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../../test/fakes/recording-log.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { TestAuthority } from "../../../test/support/test-ca.ts";
import type { ClusterPublisherSettings } from "../../config/publisher-settings.ts";
import { KubeError } from "../../k8s/kube-error.ts";
import type { Namespace } from "../../k8s/objects/namespace.ts";
import { describeRef, type ObjectRef, type Resource } from "../../k8s/resources.ts";
import type { CacheEvent } from "../../k8s/watch-cache.ts";
import { type BundlePublisherDeps, runBundlePublisher } from "./bundle-publisher.ts";

const trustDomain = TrustDomain.parse("example.test");
const authority = TestAuthority.root();
const bundleOf = (...certificates: TestAuthority[]): Bundle =>
  new Bundle(trustDomain, {
    x509Authorities: certificates.map(({ certificate }) => certificate),
    jwtAuthorities: [],
    witAuthorities: [],
    sequence: 1n,
    refreshHintSeconds: undefined,
  });

function namespace(name: string, labels: Readonly<Record<string, string>> = {}): Namespace {
  return { uid: `uid-${name}`, name, labels, annotations: {}, ownerReferences: [] };
}

const enabled = { "assay.dev/bundle": "enabled" };

/** What the publisher sees of a cluster, and what it does there. */
class World {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly bundle = new Feed(bundleOf(authority));
  readonly objects = new Map<string, object>();
  readonly done: string[] = [];
  readonly refused = new Set<string>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #listeners = new Set<(event: CacheEvent<Namespace>) => void>();
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  start(settings: Partial<ClusterPublisherSettings> = {}): this {
    this.#running = runBundlePublisher(this.#deps(settings), this.#stop.signal);
    return this;
  }

  put(now: Namespace): void {
    const was = this.#namespaces.get(now.name);
    this.#namespaces.set(now.name, now);
    this.#tell(was === undefined ? { kind: "added", now } : { kind: "changed", was, now });
  }

  remove(name: string): void {
    const was = this.#namespaces.get(name);
    if (was === undefined) return;
    this.#namespaces.delete(name);
    this.#tell({ kind: "removed", was, isSeen: true });
  }

  async until(...done: readonly string[]): Promise<void> {
    await eventually(done.join(), () =>
      this.done.join() === done.join() ? true : undefined,
    ).catch(() => assert.deepEqual(this.done, done));
    this.done.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #tell(event: CacheEvent<Namespace>): void {
    for (const listener of this.#listeners) listener(event);
  }

  #deps(settings: Partial<ClusterPublisherSettings>): BundlePublisherDeps {
    const act = (verb: string, resource: Resource, ref: ObjectRef): void => {
      const what = `${verb} ${describeRef(resource, ref)}`;
      this.done.push(what);
      if (this.refused.has(what)) throw new KubeError("forbidden", what);
    };
    return {
      client: {
        get: async (resource, ref, parse) => {
          act("get", resource, ref);
          return parse({ metadata: { uid: "uid-of-role" } });
        },
        apply: async (resource, ref, body, _manager, parse) => {
          act("apply", resource, ref);
          this.objects.set(describeRef(resource, ref), body);
          return parse(body);
        },
        delete: async (resource, ref) => {
          act("delete", resource, ref);
          this.objects.delete(describeRef(resource, ref));
        },
      },
      namespaces: {
        get: (name) => this.#namespaces.get(name),
        values: () => this.#namespaces.values(),
        onEvent: (listener) => {
          this.#listeners.add(listener);
          return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
        },
      },
      bundle: this.bundle,
      settings: {
        namespace: "assay-system",
        configMap: "assay-bundle",
        labelledNamespaces: false,
        ...settings,
      },
      clock: this.clock,
      random: new FakeRandom(),
      log: this.log.log,
    };
  }
}

const own = "apply configmaps assay-system/assay-bundle";

describe("runBundlePublisher", () => {
  it("publishes in its own namespace at once, and again when the bundle changes", async () => {
    await using world = new World().start();
    await world.until(own);
    const other = TestAuthority.root();
    world.bundle.set(bundleOf(authority, other));
    await world.until(own);
    const { data } = world.objects.get("configmaps assay-system/assay-bundle") as {
      data: Record<string, string>;
    };
    assert.equal(data["bundle.pem"]?.match(/BEGIN CERTIFICATE/g)?.length, 2);
    assert.equal(JSON.parse(data["bundle.json"] ?? "").keys.length, 2);
  });

  it("publishes no bundle that nothing can be verified by", async () => {
    const world = new World();
    world.bundle.set(bundleOf());
    await using _ = world.start();
    await world.clock.whenSleeping(1);
    world.bundle.set(bundleOf(authority));
    await world.until(own);
  });

  it("follows the label of namespaces", async () => {
    await using world = new World().start({ labelledNamespaces: true });
    await world.until(own);
    world.put(namespace("plain"));
    world.put(namespace("shop", enabled));
    await world.until("apply configmaps shop/assay-bundle");
    world.put(namespace("shop"));
    await world.until("delete configmaps shop/assay-bundle");
    world.put(namespace("shop", enabled));
    await world.until("apply configmaps shop/assay-bundle");
    world.put({ ...namespace("shop", enabled), deletionTimestamp: new Date() });
    await world.until("delete configmaps shop/assay-bundle");
    world.remove("shop");
  });

  it("leaves labelled namespaces alone unless it is told otherwise", async () => {
    await using world = new World().start();
    world.put(namespace("shop", enabled));
    await world.until(own);
    world.bundle.set(bundleOf(authority));
    await world.until(own);
  });

  it("tries again what was refused, without holding up the rest", async () => {
    await using world = new World().start({ labelledNamespaces: true });
    await world.until(own);
    const full = "apply configmaps full/assay-bundle";
    world.refused.add(full);
    world.put(namespace("full", enabled));
    await world.until(full);
    world.put(namespace("shop", enabled));
    await world.until("apply configmaps shop/assay-bundle");
    world.refused.clear();
    await world.clock.whenSleeping(2);
    await world.clock.advance(1_000);
    await world.until(full);
    assert.deepEqual(world.log.messages("warn"), ["Trust bundle cannot be published"]);
  });

  it("puts right what others changed, after a while", async () => {
    await using world = new World().start();
    await world.until(own);
    await world.clock.whenSleeping(1);
    await world.clock.advance(10 * 60_000);
    await world.until(own);
  });

  it("gives what it publishes to the role that is named, for the whole cluster as well", async () => {
    const clusterTrustBundle = "example.test";
    await using world = new World().start({ ownerClusterRole: "assay-server", clusterTrustBundle });
    const whole = `clustertrustbundles ${clusterTrustBundle}`;
    await world.until("get clusterroles assay-server", own, `apply ${whole}`);
    const { metadata, spec } = world.objects.get(whole) as {
      metadata: { ownerReferences: unknown };
      spec: { trustBundle: string };
    };
    assert.deepEqual(metadata.ownerReferences, [
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRole",
        name: "assay-server",
        uid: "uid-of-role",
      },
    ]);
    assert.match(spec.trustBundle, /^-----BEGIN CERTIFICATE-----/);
  });
});
