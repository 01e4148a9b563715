import * as z from "zod";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { KubeClient } from "../k8s/kube-client.ts";
import { isKubeError } from "../k8s/kube-error.ts";
import type { Resource } from "../k8s/resources.ts";

/** What taking turns needs. */
export interface LeadingDeps {
  readonly cluster: { readonly client: Pick<KubeClient, "get" | "create" | "replace"> };
  /** Namespace of the Lease; undefined for one that is alone. */
  readonly namespace: string | undefined;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Name of the Lease. */
const LEASE = "assay-registrar";
const LEASES: Resource = { group: "coordination.k8s.io", version: "v1", plural: "leases" };
/** How long a Lease that is not renewed keeps others out. */
const LEASE_SECONDS = 15;
const RENEW_MS = 4_000;
/** When one that could not renew stops: before anybody else may begin. */
const GIVE_UP_MS = 10_000;

const leaseSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      renewTime: z.string().nullish(),
      acquireTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .nullish(),
});

type Lease = z.infer<typeof leaseSchema>;

/**
 * Does something while this process holds the Lease of the cluster's registrars, again and again until `signal` aborts. Without a
 * namespace it does it at once. The signal that `lead` gets aborts when the Lease may be somebody else's.
 */
export async function runLeading(
  deps: LeadingDeps,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { namespace, clock, log } = deps;
  if (namespace === undefined) return lead(signal);
  const holder = new LeaseHolder(deps, namespace);
  while (!signal.aborted) {
    const askedAtMs = clock.monotonicMs();
    if (!(await within(GIVE_UP_MS, clock, signal, (limited) => holder.tryHold(limited)))) {
      await clock.sleep(RENEW_MS, signal);
      continue;
    }
    log.info({ instance: deps.instance }, "Registrar leads");
    const lost = new AbortController();
    const leading = lead(AbortSignal.any([signal, lost.signal]));
    const renewing = keep(deps, holder, { lost, heldAtMs: askedAtMs }, signal);
    await leading.finally(() => lost.abort());
    await renewing;
  }
  await holder.release();
}

/**
 * Renews the Lease until it is lost. It counts from when it was last asked for with success, since it may be written at once and
 * answered late, and no attempt goes on for longer than it holds.
 */
async function keep(
  { clock, log }: LeadingDeps,
  holder: LeaseHolder,
  { lost, heldAtMs: since }: { readonly lost: AbortController; readonly heldAtMs: number },
  signal: AbortSignal,
): Promise<void> {
  const either = AbortSignal.any([signal, lost.signal]);
  let heldAtMs = since;
  for (;;) {
    await clock.sleep(RENEW_MS / 2, either);
    if (either.aborted) return;
    const askedAtMs = clock.monotonicMs();
    const leftMs = heldAtMs + GIVE_UP_MS - askedAtMs;
    const isHeld =
      leftMs > 0 && (await within(leftMs, clock, either, (limited) => holder.tryHold(limited)));
    if (either.aborted) return;
    if (isHeld) heldAtMs = askedAtMs;
    if (holder.isTaken || clock.monotonicMs() - heldAtMs >= GIVE_UP_MS) {
      log.warn("Registrar leads no more");
      lost.abort();
      return;
    }
  }
}

/** Tries for so long at most; what `attempt` gets aborts then, and false is the answer however long it goes on. */
async function within(
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<boolean>,
): Promise<boolean> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const late = clock.sleep(limitMs, either).then(() => false);
  return Promise.race([attempt(either), late]).finally(() => over.abort());
}

/** The Lease, as one process sees it. Whose it is goes by how long it has not changed, not by the clocks of others. */
class LeaseHolder {
  readonly #deps: LeadingDeps;
  readonly #ref: { readonly namespace: string; readonly name: string };
  #seenVersion = "";
  #seenAtMs = 0;
  /** Whether somebody else held it when it was last looked at. */
  isTaken = false;
  #isHeld = false;
  /** Whether the last try failed for a reason that is not another process. */
  #isFailing = false;

  constructor(deps: LeadingDeps, namespace: string) {
    this.#deps = deps;
    this.#ref = { namespace, name: LEASE };
  }

  /** Takes or renews it. @returns whether it is held */
  async tryHold(signal: AbortSignal): Promise<boolean> {
    const { cluster, log } = this.#deps;
    try {
      const lease = await this.#read(signal);
      if (lease === undefined) {
        await cluster.client.create(LEASES, this.#ref, this.#body(undefined), ignore, signal);
      } else if (this.#mayTake(lease)) {
        await cluster.client.replace(LEASES, this.#ref, this.#body(lease), ignore, signal);
      } else return false;
      this.isTaken = false;
      this.#isHeld = true;
      this.#isFailing = false;
      return true;
    } catch (err) {
      if (isKubeError(err, "conflict", "already_exists")) return false;
      if (signal.aborted) return false;
      // Said once until it works again: without the Lease no registrar writes anything.
      if (!this.#isFailing) log.warn({ reason: describeError(err) }, "Could not hold the lease");
      this.#isFailing = true;
      return false;
    }
  }

  /** Lets others have it at once. */
  async release(): Promise<void> {
    if (!this.#isHeld) return;
    const { cluster } = this.#deps;
    const signal = AbortSignal.timeout(RENEW_MS);
    try {
      const lease = await this.#read(signal);
      if (lease?.spec?.holderIdentity !== this.#deps.instance) return;
      const body = this.#body(lease);
      const spec = { ...body.spec, holderIdentity: "", leaseDurationSeconds: 1 };
      await cluster.client.replace(LEASES, this.#ref, { ...body, spec }, ignore, signal);
    } catch {
      // It runs out by itself.
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const parse = (raw: unknown): Lease => leaseSchema.parse(raw);
    try {
      return await this.#deps.cluster.client.get(LEASES, this.#ref, parse, signal);
    } catch (err) {
      if (isKubeError(err, "not_found")) return undefined;
      throw err;
    }
  }

  #mayTake({ metadata, spec }: Lease): boolean {
    const { clock, instance } = this.#deps;
    const holder = spec?.holderIdentity ?? "";
    if (holder === "" || holder === instance) return true;
    if (metadata.resourceVersion !== this.#seenVersion) {
      this.#seenVersion = metadata.resourceVersion;
      this.#seenAtMs = clock.monotonicMs();
    }
    const heldMs = (spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1000;
    this.isTaken = clock.monotonicMs() - this.#seenAtMs < heldMs;
    return !this.isTaken;
  }

  #body(before: Lease | undefined) {
    const { clock, instance } = this.#deps;
    const now = clock.now().toISOString().replace("Z", "000Z");
    const isOurs = before?.spec?.holderIdentity === instance;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        ...this.#ref,
        ...(before && { resourceVersion: before.metadata.resourceVersion }),
      },
      spec: {
        holderIdentity: instance,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: now,
        acquireTime: (isOurs ? before?.spec?.acquireTime : undefined) ?? now,
        leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (isOurs ? 0 : 1),
      },
    };
  }
}

function ignore(): void {}
