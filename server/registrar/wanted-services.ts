/** Services are watched only where a resource wants their names: it takes a permission of its own. */
import type { Clock } from "../../runtime/time/clock.ts";
import type { RegistrarTerm } from "./registrar-term.ts";
import type { ResourceCache, serviceCache } from "./resource-caches.ts";

/** How often rules are looked at. */
const LOOK_MS = 1_000;
/** How long the first list of services is waited for. */
const SERVICES_MS = 10_000;

/** Whether any resource of ours gives pods the names of their services. */
export function wantServices(
  resources: readonly ResourceCache[],
  isOurs: (resource: { readonly className: string }) => boolean,
): boolean {
  return resources.some(({ cache }) =>
    [...cache.values()].some(({ reading }) => {
      if (!reading.ok || reading.resource.kind !== "ClusterSPIFFEID") return false;
      return reading.resource.autoPopulateDnsNames && isOurs(reading.resource);
    }),
  );
}

/** Pods that need no services do not wait for them for long: the permission to list them may be missing. */
export async function waitForServices(
  { clock }: { readonly clock: Clock },
  services: ReturnType<typeof serviceCache>,
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  await Promise.race([services.ready(until), clock.sleep(SERVICES_MS, until)]);
  done.abort();
}

/** Resolves when a rule wants them, or once `signal` aborts. */
export async function untilServicesWanted(
  { clock }: { readonly clock: Clock },
  term: RegistrarTerm,
  signal: AbortSignal,
): Promise<void> {
  const isWanted = (): boolean =>
    term.index.rules.values().some((rule) => rule.autoPopulateDnsNames);
  while (!signal.aborted && !isWanted()) await clock.sleep(LOOK_MS, signal);
}
