import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** What tells this node, and this boot of it, from others. */
export interface NodeFacts {
  /** Content of /etc/machine-id; undefined where there is none, as in many container images. */
  readonly machineId: string | undefined;
  /** The kernel's random id of this boot. */
  readonly bootId: string | undefined;
}

/** Reads the facts of the machine that this process runs on. */
export async function readNodeFacts(): Promise<NodeFacts> {
  return {
    machineId: await readFact("/etc/machine-id"),
    bootId: await readFact("/proc/sys/kernel/random/boot_id"),
  };
}

/**
 * A digest that a state file carries, so that a copy of it is refused on another node. A file in memory is bound to the boot
 * as well, since it cannot outlive it. On disk only the machine id is left, which container images may share; the boot id
 * stands in where no machine id is known.
 */
export function nodeBinding(facts: NodeFacts, inMemory: boolean): Uint8Array {
  const bootId = inMemory || facts.machineId === undefined ? facts.bootId : undefined;
  const text = JSON.stringify(["assay node binding 1", facts.machineId ?? "", bootId ?? ""]);
  return new Uint8Array(createHash("sha256").update(text).digest());
}

async function readFact(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return text === "" ? undefined : text;
  } catch {
    return undefined;
  }
}
