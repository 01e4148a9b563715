import { join } from "node:path";
import process from "node:process";

/** A way to run the command `assay`; its own arguments follow. */
export interface AssayCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/** The command's source, to be run by the Node that runs us: `process.execPath`. */
export const assaySource: string = join(import.meta.dirname, "..", "..", "assay.ts");

/** The command from its sources. */
export const unbuiltCommand: AssayCommand = { file: process.execPath, args: [assaySource] };

/** The command of a release in a folder. */
export function releasedCommand(folder: string): AssayCommand {
  return { file: join(folder, "bin", "assay"), args: [] };
}
