import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../runtime/files/replace-file.ts";
import { readJournal } from "../../runtime/journal/verify.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AuditTarget } from "./audit-target.ts";

/** What the exporter needs. */
export interface AuditExporterDeps {
  readonly audit: { readonly directory: string; readonly lastSeq: number };
  readonly target: AuditTarget;
  readonly clock: Clock;
  readonly log: Logger;
}

const INTERVAL_MS = 1000;
const MAX_PIECE_BYTES = 1024 * 1024;
const CURSOR_FILE = "exported.json";

/**
 * Copies each record to a target outside of the log, as the line of JSON that it is, in order and each at least once: after a crash
 * the last second's may come twice, which their sequence numbers show. A target that fails is tried again; issuing does not wait.
 */
export class AuditExporter {
  readonly #deps: AuditExporterDeps;
  #exportedSeq: number;
  #failing = false;

  private constructor(deps: AuditExporterDeps, exportedSeq: number) {
    this.#deps = deps;
    this.#exportedSeq = exportedSeq;
  }

  /** Goes on after the last record that was exported in an earlier run. */
  static async open(deps: AuditExporterDeps): Promise<AuditExporter> {
    return new AuditExporter(deps, await readCursor(cursorPath(deps)));
  }

  /** Up to where the target has everything. */
  get exportedSeq(): number {
    return this.#exportedSeq;
  }

  /** Exports once a second. Resolves once `signal` aborts, after a last export. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal);
      try {
        await this.exportNew();
        if (this.#failing) log.info("Audit records are exported again");
        this.#failing = false;
      } catch (err) {
        if (!this.#failing) log.error({ err }, "Audit records cannot be exported");
        this.#failing = true;
      }
    }
  }

  /** Writes what is new to the target, and remembers how far it came. */
  async exportNew(): Promise<void> {
    const { audit, target } = this.#deps;
    if (audit.lastSeq <= this.#exportedSeq) return;
    let piece: Uint8Array[] = [];
    let bytes = 0;
    let seq = this.#exportedSeq;
    const write = async (): Promise<void> => {
      await target.write(Buffer.concat(piece));
      piece = [];
      bytes = 0;
      this.#exportedSeq = seq;
      const text = `${JSON.stringify({ exportedSeq: seq })}\n`;
      await replaceFile(cursorPath(this.#deps), text, { mode: 0o600 });
    };
    for await (const line of readJournal(audit.directory, this.#exportedSeq + 1)) {
      // What comes after it may not be durable yet.
      if (line.seq > audit.lastSeq) break;
      piece.push(line.bytes, LINE_END);
      bytes += line.bytes.length + 1;
      seq = line.seq;
      if (bytes >= MAX_PIECE_BYTES) await write();
    }
    if (bytes > 0) await write();
  }
}

const LINE_END = Buffer.from("\n");

function cursorPath({ audit }: AuditExporterDeps): string {
  return join(audit.directory, CURSOR_FILE);
}

/** Everything is exported again where the cursor is missing or spoilt: twice is better than never. */
async function readCursor(path: string): Promise<number> {
  try {
    const cursor: unknown = JSON.parse(await readFile(path, "utf8"));
    const isCursor = typeof cursor === "object" && cursor !== null && "exportedSeq" in cursor;
    return isCursor && typeof cursor.exportedSeq === "number" ? cursor.exportedSeq : 0;
  } catch {
    return 0;
  }
}
