/** A file of a release that is loaded by its name: the command, a part that it runs, or a thread that a part starts. */
export type PartName =
  | "assay"
  | "server"
  | "agent"
  | "csi"
  | "registrar"
  | "store-worker"
  | "signing-worker";

/**
 * The source at which each begins. Whatever several of them need lies in chunks beside them and is there once, so a part loads what it
 * imports and nothing else, and a class is the same class everywhere.
 */
export const parts: Readonly<Record<PartName, string>> = {
  assay: "assay.ts",
  server: "server/main.ts",
  agent: "agent/main.ts",
  csi: "agent/csi/run-csi.ts",
  registrar: "server/cli/registrar-process.ts",
  "store-worker": "server/store/sqlite/worker.ts",
  "signing-worker": "server/ca/signing-worker.ts",
};
