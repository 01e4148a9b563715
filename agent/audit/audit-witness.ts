import type { AuditHead } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { Logger } from "../../runtime/log.ts";

/** A domain has few servers; one that makes up names must not make us remember them all. */
const MAX_WRITERS = 64;

/**
 * Remembers how far each server's audit log had come, so that a log that is cut or written anew can be found out: the server
 * cannot take back what this agent has seen.
 */
export class AuditWitness {
  readonly #log: Logger;
  readonly #byWriter = new Map<string, AuditHead>();
  readonly #disputed: Set<string>;
  #latestWriter: string | undefined;

  /**
   * @param seen from the state file
   * @param disputed likewise: writers whose log contradicted what was seen
   */
  constructor(log: Logger, seen: readonly AuditHead[], disputed: readonly string[] = []) {
    this.#log = log;
    for (const head of seen) this.#byWriter.set(head.writer, head);
    this.#disputed = new Set(disputed);
  }

  /** What was seen, for the state file. */
  get seen(): readonly AuditHead[] {
    return [...this.#byWriter.values()];
  }

  /** Writers whose log contradicted what was seen, for the state file. */
  get disputed(): readonly string[] {
    return [...this.#disputed];
  }

  /** The newest head of the server that spoke last; undefined before any did. */
  get newest(): AuditHead | undefined {
    return this.#latestWriter === undefined ? undefined : this.#byWriter.get(this.#latestWriter);
  }

  /**
   * Takes note of a head. One that contradicts what was seen does not replace it, nor does any after it: a log that was cut grows
   * again, and would soon reach beyond what this agent can testify to.
   */
  see(head: AuditHead): void {
    this.#latestWriter = head.writer;
    const known = this.#byWriter.get(head.writer);
    if (known !== undefined && contradicts(head, known)) {
      this.#log.error(
        { writer: head.writer, seen_seq: String(known.seq), seq: String(head.seq) },
        "Audit log of the server is not the one that this agent has seen",
      );
      this.#disputed.add(head.writer);
    }
    if (this.#disputed.has(head.writer)) return;
    if (known === undefined && this.#byWriter.size >= MAX_WRITERS) return;
    this.#byWriter.set(head.writer, copy(head));
  }
}

function contradicts(head: AuditHead, known: AuditHead): boolean {
  if (head.seq !== known.seq) return head.seq < known.seq;
  return Buffer.compare(head.hash, known.hash) !== 0;
}

// Its byte fields are views of the frame that it came in.
function copy(head: AuditHead): AuditHead {
  return { ...head, hash: head.hash.slice(), signature: head.signature.slice() };
}
