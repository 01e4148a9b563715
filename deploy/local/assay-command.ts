import { join } from "node:path";

/** The command's source, to be run by the Node that runs us: `process.execPath`. */
export const assayCommand: string = join(import.meta.dirname, "..", "..", "assay.ts");
