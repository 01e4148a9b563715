/**
 * The `unix` workload attestor: selectors from the kernel's view of a process. The selectors are the
 * public ones: uid, user, gid, group, supplementary_gid, supplementary_group, path, sha256.
 */
import type { Selector } from "../../proto/selector.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import type { AccountNames } from "./account-names.ts";
import { type ExecutableDigests, executablePath } from "./executable.ts";
import type { ProcessFacts } from "./process-facts.ts";
import type { Findings, Undecided, WorkloadAttestor } from "./workload-attestor.ts";

export interface UnixAttestorDeps {
  readonly names: AccountNames;
  readonly digests: ExecutableDigests;
  /** Whether any entry of this node asks for a kind of selector: hashing programs is not free. */
  readonly isWanted: (prefix: string) => boolean;
  /** See executablePath. */
  readonly hostRoot: string;
}

type Lookup = (facts: ProcessFacts, signal: AbortSignal) => Promise<string[] | Undecided>;

/** What each group of selectors takes to find out, and what stays undecided when that fails. */
export class UnixAttestor implements WorkloadAttestor {
  readonly type = "unix";
  readonly #lookups: readonly (readonly [prefixes: readonly string[], lookup: Lookup])[];

  constructor(deps: UnixAttestorDeps) {
    const { names, digests, isWanted, hostRoot } = deps;
    this.#lookups = [
      [["user:"], async (f, signal) => named("user", await names.user(f.uid, signal))],
      [["group:"], async (f, signal) => named("group", await names.group(f.gid, signal))],
      [
        ["supplementary_group:"],
        async (f, signal) => {
          const groups = f.supplementaryGids.map((gid) => names.group(gid, signal));
          return (await Promise.all(groups)).flatMap((name) => named("supplementary_group", name));
        },
      ],
      [
        ["path:"],
        async (f) => {
          const found = await executablePath(f.procDir, hostRoot);
          if ("path" in found) return [`path:${found.path}`];
          return undecided(["path:"], found.unknown, false);
        },
      ],
      [
        ["sha256:"],
        async (f, signal) =>
          isWanted("sha256:") ? [`sha256:${await digests.of(f.procDir, signal)}`] : [],
      ],
    ];
  }

  async attest(facts: ProcessFacts, signal: AbortSignal): Promise<Findings> {
    const outcomes = await Promise.all(
      this.#lookups.map(([prefixes, lookup]) =>
        lookup(facts, signal).catch((err) => undecided(prefixes, describeError(err), true)),
      ),
    );
    const values = [
      `uid:${facts.uid}`,
      `gid:${facts.gid}`,
      ...facts.supplementaryGids.map((gid) => `supplementary_gid:${gid}`),
      ...outcomes.flatMap((outcome) => ("reason" in outcome ? [] : outcome)),
    ];
    return {
      selectors: values.map((value): Selector => ({ type: this.type, value })),
      undecided: outcomes.filter((outcome) => "reason" in outcome),
    };
  }
}

function named(kind: string, name: string | undefined): string[] {
  return name === undefined ? [] : [`${kind}:${name}`];
}

function undecided(prefixes: readonly string[], reason: string, transient: boolean): Undecided {
  return { type: "unix", prefixes, reason, transient };
}
