import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, totalmem } from "node:os";

/** What figures were taken on. */
export interface MachineFacts {
  readonly processor: string;
  /** Of the machine, and of these the ones that we may use. */
  readonly cores: number;
  readonly usableCores: number;
  readonly gibibytes: number;
  readonly platform: string;
  readonly node: string;
  /** Of the sources; empty outside of a checkout. */
  readonly commit: string;
}

/** What the figures of this process are taken on. */
export function machineFacts(): MachineFacts {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: cpus().length,
    usableCores: availableParallelism(),
    gibibytes: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    commit: commitHere(),
  };
}

/** The same in one line. */
export function describeMachine(): string {
  const { processor, cores, usableCores, gibibytes, platform, node, commit } = machineFacts();
  const usable = usableCores === cores ? "" : `${usableCores} of `;
  const at = commit === "" ? "" : `, commit ${commit.slice(0, 12)}`;
  return `# ${usable}${cores} x ${processor}, ${gibibytes} GiB, ${platform}, Node ${node}${at}`;
}

function commitHere(): string {
  try {
    const cwd = import.meta.dirname;
    return execFileSync("git", ["rev-parse", "HEAD"], { cwd, stdio: "pipe" }).toString().trim();
  } catch {
    return "";
  }
}
