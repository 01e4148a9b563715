import type { ServerConfig } from "./server-config.ts";

/** A setting that differs between two configurations. */
export interface SettingChange {
  /** "limits.rates.read.burst" */
  readonly path: string;
  /** As JSON; empty where there is none. */
  readonly before: string;
  readonly after: string;
}

/** What differs, by whether it can be applied while running. */
export interface ConfigDifference {
  readonly applicable: readonly SettingChange[];
  readonly needsRestart: readonly SettingChange[];
}

/** What a running server looks up each time it needs it; everything else was built into it at the start. */
const APPLICABLE: readonly string[] = [
  "log.level",
  "limits.rates",
  "operators",
  "adminSocket.users",
  "nodeAttestors",
  "agents.renewGrace",
  "agents.purgeExpiredAfter",
  "entries",
  "federation.relationships",
];

/** Compares two configurations setting by setting. */
export function compareConfigs(before: ServerConfig, after: ServerConfig): ConfigDifference {
  const changes = [...differences("", before, after)];
  const isApplicable = ({ path }: SettingChange): boolean =>
    APPLICABLE.some((known) => path === known || path.startsWith(`${known}.`));
  return {
    applicable: changes.filter(isApplicable),
    needsRestart: changes.filter((change) => !isApplicable(change)),
  };
}

/** The old configuration with the applicable settings of the new one. */
export function applicableParts(before: ServerConfig, after: ServerConfig): ServerConfig {
  return {
    ...before,
    log: { ...before.log, level: after.log.level },
    limits: { ...before.limits, rates: after.limits.rates },
    operators: after.operators,
    adminSocket: { ...before.adminSocket, users: after.adminSocket.users },
    nodeAttestors: after.nodeAttestors,
    agents: {
      ...before.agents,
      renewGrace: after.agents.renewGrace,
      purgeExpiredAfter: after.agents.purgeExpiredAfter,
    },
    entries: after.entries,
    federation: { ...before.federation, relationships: after.federation.relationships },
  };
}

// Lists are compared as a whole: what stands at one place of a list says little.
function* differences(path: string, before: unknown, after: unknown): Generator<SettingChange> {
  if (isSection(before) && isSection(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const key of keys) {
      const inner = path === "" ? key : `${path}.${key}`;
      yield* differences(inner, before[key], after[key]);
    }
    return;
  }
  const texts = [before, after].map((value) => JSON.stringify(value) ?? "");
  const [was = "", is = ""] = texts;
  if (was !== is) yield { path, before: was, after: is };
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
