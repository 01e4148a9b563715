import {
  type BatchNewX509SVIDResponse_Result,
  SVID,
} from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { inTurns } from "../../runtime/slices.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { renewalInstant } from "../../runtime/time/due.ts";
import type { KeyPool } from "../cache/key-pool.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import type { X509SvidOrder } from "../cache/x509-svid-orders.ts";
import { makeRecord } from "../cache/x509-svid-record.ts";
import type { ServerConnection } from "../connection/server-connection.ts";
import { untilChanged } from "../connection/until-changed.ts";
import type { KeyBytes } from "../identity/svid-key.ts";
import type { IssuanceLimits } from "./issuance-limits.ts";

export interface X509SvidIssuerDeps {
  readonly cache: WorkloadCache;
  readonly keys: KeyPool;
  readonly connection: ServerConnection;
  readonly limits: ReadFeed<IssuanceLimits>;
  /** SVIDs have come; the state may be written soon. */
  readonly changed: () => void;
  /** The same where all of them have taken the place of others that are still good. */
  readonly renewed: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const CALL_TIMEOUT_MS = 30_000;
/** The wall clock may jump while we wait for a renewal; look at it this often. */
const MAX_WAIT_MS = 30_000;
/** SVIDs are renewed when this share of their life has passed; two thirds are left if the server is away. */
const RENEW_AFTER = 1 / 3;
const RENEW_JITTER = 0.1;
/** As many keep the event loop for a few milliseconds, the streams that get them included; workloads wait no longer than that. */
const SVIDS_IN_A_TURN = 10;

/**
 * Orders the X509-SVIDs that are due, whoever waits first, with no more CSRs in flight than the server wants. An entry that
 * the server refuses is tried again later and holds up no other. Resolves once `signal` aborts.
 */
export async function runX509SvidIssuer(
  deps: X509SvidIssuerDeps,
  signal: AbortSignal,
): Promise<void> {
  const issuer = new Issuer(deps, signal);
  const { cache, clock } = deps;
  while (!signal.aborted) {
    const seen = cache.ordersDue.value;
    // Without a server every order would fail, each with its own line in the log; the connection is tried elsewhere.
    const canOrder = cache.status.value.connected && issuer.room > 0;
    if (canOrder && issuer.startBatch()) continue;
    const dueInMs = canOrder ? cache.svids.nextDueAtMs() - clock.monotonicMs() : MAX_WAIT_MS;
    const ms = Math.min(Math.max(0, dueInMs), MAX_WAIT_MS);
    await untilChanged(cache.ordersDue, { seen, ms, clock, signal });
  }
}

class Issuer {
  readonly #deps: X509SvidIssuerDeps;
  readonly #signal: AbortSignal;
  #inFlight = 0;
  /** What was learned of how much the server takes in one call, from calls that were too large. */
  #batchCeiling = Number.POSITIVE_INFINITY;

  constructor(deps: X509SvidIssuerDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
  }

  /** How many CSRs may be sent now. */
  get room(): number {
    return Math.max(0, this.#deps.limits.value.maxInFlight - this.#inFlight);
  }

  /** Sends one call with what is due; returns false when nothing is, or there is no room. */
  startBatch(): boolean {
    const { cache, limits } = this.#deps;
    const max = Math.min(limits.value.maxPerCall, this.room, this.#batchCeiling);
    if (max < 1) return false;
    const orders = cache.svids.takeDue(max);
    if (orders.length === 0) return false;
    this.#inFlight += orders.length;
    void this.#issue(orders).finally(() => {
      this.#inFlight -= orders.length;
      cache.wakeIssuer();
    });
    return true;
  }

  async #issue(orders: readonly X509SvidOrder[]): Promise<void> {
    const { cache, connection, log } = this.#deps;
    try {
      const requested: RequestedSvid[] = [];
      for await (const some of inTurns(orders, SVIDS_IN_A_TURN)) {
        requested.push(...(await Promise.all(some.map((order) => this.#request(order)))));
      }
      const params = requested.map(({ order, csr }) => ({ entryId: order.entry.id, csr }));
      const { results } = await connection.call(SVID, (client) =>
        client.batchNewX509SVID({ params }, { signal: this.#signal, timeoutMs: CALL_TIMEOUT_MS }),
      );
      this.#batchCeiling *= 2;
      const answered = requested.map((request, i) => ({ request, result: results[i] }));
      for await (const some of inTurns(answered, SVIDS_IN_A_TURN)) {
        const renewed = some.filter(({ request, result }) => this.#finish(request, result));
        if (renewed.length < some.length) this.#deps.changed();
        else this.#deps.renewed();
      }
    } catch (err) {
      if (isTooLarge(err)) this.#batchCeiling = Math.max(1, Math.floor(orders.length / 2));
      for (const order of orders) cache.svids.fail(order);
      if (!this.#signal.aborted) {
        log.warn({ err, orders: orders.length }, "X509-SVIDs were not issued, trying again");
      }
    }
  }

  async #request(order: X509SvidOrder): Promise<RequestedSvid> {
    const { bytes, csr } = await this.#deps.keys.take();
    return { order, key: bytes, csr };
  }

  /** Returns whether another one was replaced that would have done for longer. */
  #finish(
    { order, key }: RequestedSvid,
    result: BatchNewX509SVIDResponse_Result | undefined,
  ): boolean {
    const { cache, clock, log, random } = this.#deps;
    try {
      const issued = { entry: order.entry, chainDer: chainIn(result), key };
      const record = makeRecord(issued, clock.now(), (validity) =>
        renewalInstant({ ...validity, fraction: RENEW_AFTER, jitter: RENEW_JITTER, random }),
      );
      const isRenewal = cache.svids.complete(order, record);
      log.debug(
        {
          entry_id: record.entryId,
          spiffe_id: record.spiffeId,
          serial_number: record.serialNumber,
          expires_at: record.notAfter.toISOString(),
        },
        "X509-SVID arrived",
      );
      return isRenewal;
    } catch (err) {
      cache.svids.fail(order);
      log.warn({ err, entry_id: order.entry.id }, "X509-SVID was not issued, trying again");
      return false;
    }
  }
}

/** An order with the key that was made for it, and the request signed with that. */
interface RequestedSvid {
  readonly order: X509SvidOrder;
  readonly key: KeyBytes;
  readonly csr: Uint8Array;
}

function chainIn(result: BatchNewX509SVIDResponse_Result | undefined): readonly Uint8Array[] {
  const { status, svid } = result ?? {};
  const code = status?.code ?? (svid === undefined ? Status.INTERNAL : Status.OK);
  if (code === Status.OK) return svid?.certChain ?? [];
  throw new StatusError(code, status?.message ?? "the server sent no result");
}

// Limits of rate and of message size look alike; a smaller call helps against both.
function isTooLarge(err: unknown): boolean {
  return err instanceof StatusError && err.code === Status.RESOURCE_EXHAUSTED;
}
