import { cpus, totalmem } from "node:os";

/** What the figures were taken on, in one line. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `# ${cpus().length} x ${model}, ${gibibytes} GiB, ${process.platform} ${process.arch}, Node ${process.version}`;
}
