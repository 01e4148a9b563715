import { isDeepStrictEqual } from "node:util";
import { describeError } from "../../../runtime/errors/describe.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { fieldOf, type KubeClient } from "../../k8s/kube-client.ts";
import { isKubeError } from "../../k8s/kube-error.ts";
import type { ResourceReading } from "../resources/parse-resource.ts";
import { RESOURCE_TYPES } from "../resources/resource.ts";
import type { StatusDraft } from "./resource-status.ts";

/** What writing needs. */
export interface StatusWriterDeps {
  readonly client: Pick<KubeClient, "get" | "merge">;
  /** The resource of a name and what its status is to say; undefined when it is gone. */
  readonly statusOf: (
    name: string,
  ) => { readonly reading: ResourceReading; readonly status: StatusDraft } | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often a status is written at most: it changes with every pod. */
const INTERVAL_MS = 2_000;
/** Statuses that are written side by side. */
const MAX_CALLS = 4;

/** Keeps the statuses of resources up to date: only what changed, and none more often than every two seconds. */
export class StatusWriter {
  readonly #deps: StatusWriterDeps;
  readonly #changed = new Set<string>();
  readonly #written = new Map<string, { readonly uid: string; readonly status: StatusDraft }>();

  constructor(deps: StatusWriterDeps) {
    this.#deps = deps;
  }

  /** Has the status of a resource looked at. */
  want(name: string): void {
    this.#changed.add(name);
  }

  /** Writes until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const names = [...this.#changed];
      this.#changed.clear();
      const next = names.values();
      const work = async (): Promise<void> => {
        for (const name of next) {
          if (signal.aborted) return;
          await this.#write(name, signal);
        }
      };
      await Promise.all(Array.from({ length: MAX_CALLS }, work));
      await this.#deps.clock.sleep(INTERVAL_MS, signal);
    }
  }

  async #write(name: string, signal: AbortSignal): Promise<void> {
    const { client, statusOf, clock, log } = this.#deps;
    const found = statusOf(name);
    if (found === undefined) {
      this.#written.delete(name);
      return;
    }
    const { reading, status } = found;
    const { kind, meta } = reading.ok ? reading.resource : reading;
    const written = { uid: meta.uid, status };
    if (isDeepStrictEqual(this.#written.get(name), written)) return;
    const type = RESOURCE_TYPES.find((each) => each.kind === kind);
    if (type === undefined) return;
    const ref = {
      name: meta.name,
      ...(meta.namespace !== "" && { namespace: meta.namespace }),
    };
    try {
      const before = await client.get(type, ref, (raw) => fieldOf(raw, "status"), signal);
      const next = withTimes(status, before, clock.now());
      if (!isDeepStrictEqual(comparable(before), comparable(next))) {
        await client.merge(
          type,
          { ...ref, subresource: "status" },
          { status: next },
          () => {},
          signal,
        );
      }
      this.#written.set(name, written);
    } catch (err) {
      if (signal.aborted || isKubeError(err, "not_found")) return;
      this.#changed.add(name);
      log.warn({ resource: name, reason: describeError(err) }, "Status could not be written");
    }
  }
}

/** The status with its conditions' instants: those of before where a condition has not changed. */
function withTimes(
  draft: StatusDraft,
  before: unknown,
  now: Date,
): Readonly<Record<string, unknown>> {
  const { observedGeneration, fields } = draft;
  const instant = `${now.toISOString().slice(0, 19)}Z`;
  const known = conditionsOf(before);
  return {
    ...fields,
    observedGeneration,
    conditions: draft.conditions.map((condition) => {
      const old = known.find((each) => fieldOf(each, "type") === condition.type);
      const isSame = fieldOf(old, "status") === condition.status;
      const since = isSame ? fieldOf(old, "lastTransitionTime") : undefined;
      return {
        ...condition,
        observedGeneration,
        lastTransitionTime: typeof since === "string" ? since : instant,
      };
    }),
  };
}

function conditionsOf(status: unknown): readonly unknown[] {
  const conditions = fieldOf(status, "conditions");
  return Array.isArray(conditions) ? conditions : [];
}

// The API server keeps no order of fields and leaves out nothing that was sent.
function comparable(status: unknown): unknown {
  return JSON.parse(JSON.stringify(status ?? {}));
}
