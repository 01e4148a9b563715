import type { RelationProblem } from "./checks.ts";
import type { FileSettings } from "./files-file-settings.ts";

interface Related {
  readonly identity: { readonly spiffeId?: string | undefined; readonly hint?: string | undefined };
  readonly files: readonly FileSettings[];
  readonly reload: readonly object[];
  readonly command?: object | undefined;
  readonly once: boolean;
}

/** Checks what single fields of files.yaml cannot tell. */
export function checkFilesRelations(config: Related): readonly RelationProblem[] {
  const problems: RelationProblem[] = [];
  const names = new Set<string>();
  for (const [index, { name }] of config.files.entries()) {
    if (names.has(name)) {
      problems.push({
        path: ["files", String(index), "name"],
        message: "expected a name of its own",
      });
    }
    names.add(name);
  }
  if (config.identity.spiffeId !== undefined && config.identity.hint !== undefined) {
    problems.push({ path: ["identity"], message: "expected either spiffeId or hint" });
  }
  if (config.once && (config.command !== undefined || config.reload.length > 0)) {
    problems.push({ path: ["once"], message: "expected neither command nor reload beside it" });
  }
  return problems;
}
