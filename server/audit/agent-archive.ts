import { hash } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import { isMissing } from "../../runtime/files/is-missing.ts";
import { syncDirectory } from "../../runtime/files/replace-file.ts";
import {
  follows,
  GENESIS,
  type JournalLine,
  type JournalPosition,
  parseLine,
} from "../../runtime/journal/line.ts";
import { recoverJournal } from "../../runtime/journal/recover.ts";
import { openSegmentFile, type Segment, segmentAt } from "../../runtime/journal/segment.ts";
import { readJournal } from "../../runtime/journal/verify.ts";
import type { Logger } from "../../runtime/log.ts";
import { findOldSegments, removeSegments } from "./archive-retention.ts";
import type { AuditLog } from "./audit-log.ts";

/** What the archive needs. */
export interface AgentArchiveDeps {
  /** Folder of the archive; made when it is first needed. */
  readonly directory: string;
  readonly audit: Pick<AuditLog, "event" | "intent" | "outcome">;
  readonly log: Logger;
  /** A file of the archive is closed at this size. */
  readonly maxSegmentBytes: number;
}

/** Where an agent's chain goes on. */
interface Chain {
  readonly directory: string;
  head: JournalPosition;
  segment: Segment;
  bytes: number;
}

const MAX_LINE_BYTES = 1024 * 1024;

/**
 * Keeps the audit chains of agents beside the server's own. Each line has to continue the chain that is kept; where one does not, a
 * chain of its own begins, and the break is recorded: an agent that lost its state starts anew, one that was tampered with shows.
 *
 * Folder by folder: one per agent, in it one per chain ("1", "2", ...), in that the segments of a journal.
 */
export class AgentArchive {
  readonly #deps: AgentArchiveDeps;
  /** The chain of each agent that goes on, by the agent's folder. */
  readonly #chains = new Map<string, Chain>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(deps: AgentArchiveDeps) {
    this.#deps = deps;
  }

  /**
   * Adds lines that an agent sent. Lines that are kept already are passed over, so that an agent may send again what it got no
   * receipt for. Calls for one agent are served one after another.
   *
   * @returns the sequence number up to which the agent's lines are durable
   * @throws {StatusError} INVALID_ARGUMENT for what is no line of a chain; {Error} when the disk fails
   */
  async append(agentId: string, lines: readonly Uint8Array[]): Promise<number> {
    const parsed = lines.map(readLine);
    for (const [index, line] of parsed.entries()) {
      const before = parsed[index - 1];
      if (before !== undefined && !follows(line, before)) {
        throw invalidArgument(`lines[${index}]: does not continue the line before it`);
      }
    }
    return await this.#inTurn(folderOf(agentId), () => this.#append(agentId, parsed));
  }

  /** Removes the files that were last written to before `before`; what goes is recorded first. */
  async removeOlderThan(before: Date): Promise<void> {
    const { directory, audit, log } = this.#deps;
    for (const { agent, chains } of await this.list()) {
      await this.#inTurn(agent, async () => {
        for (const chain of chains) {
          const folder = join(directory, agent, chain);
          const old = await findOldSegments(folder, before);
          if (old.paths.length === 0) continue;
          const details = { agent, chain, files: old.paths.length };
          const draft = { action: "audit.agent_chain_remove", reasonCode: "age", details } as const;
          const ref = await audit.intent(draft);
          await removeSegments(folder, old);
          if (old.isAll) this.#chains.delete(agent);
          audit.outcome(ref, { decision: "allow" });
          log.info(details, "Removed old records of an agent");
        }
      });
    }
  }

  /** Serves what is done to one agent's folder one after another. */
  async #inTurn<T>(folder: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(folder) ?? Promise.resolve()).then(act, act);
    this.#turns.set(folder, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(folder) === turn) this.#turns.delete(folder);
    }
  }

  async #append(agentId: string, parsed: readonly JournalLine[]): Promise<number> {
    if (parsed.length === 0) return (await this.#open(agentId)).head.seq;
    const chain = await this.#continue(agentId, parsed);
    const fresh = parsed.filter(({ seq }) => seq > chain.head.seq);
    if (fresh.length > 0) await this.#write(chain, fresh);
    return chain.head.seq;
  }

  /** Folders of all chains that are kept, by agent folder. */
  async list(): Promise<readonly { readonly agent: string; readonly chains: readonly string[] }[]> {
    const agents = await readFolder(this.#deps.directory);
    return await Promise.all(
      agents.map(async (agent) => ({
        agent,
        chains: await readFolder(join(this.#deps.directory, agent)),
      })),
    );
  }

  /** The chain that the lines belong to: the one that is kept, or a new one if they do not continue it. */
  async #continue(agentId: string, lines: readonly JournalLine[]): Promise<Chain> {
    const chain = await this.#open(agentId);
    // What came before the first line that we ever get was the agent's to remove.
    if (chain.head.seq === 0) return begin(chain, lines);
    if (await isContinued(chain, lines)) return chain;
    this.#recordBreak(agentId, chain.head, lines);
    return begin(await this.#create(agentId), lines);
  }

  async #write(chain: Chain, lines: readonly JournalLine[]): Promise<void> {
    const [first] = lines;
    if (first === undefined) return;
    if (chain.bytes >= this.#deps.maxSegmentBytes) {
      chain.segment = segmentAt(chain.directory, first.seq);
      chain.bytes = 0;
    }
    const text = Buffer.concat(lines.flatMap(({ bytes }) => [bytes, LINE_END]));
    {
      await using file = await openSegmentFile(chain.segment.path, 0);
      await file.write(text, chain.bytes);
    }
    if (chain.bytes === 0) await syncDirectory(chain.directory);
    chain.bytes += text.length;
    const last = lines[lines.length - 1] ?? first;
    chain.head = { seq: last.seq, hash: last.hash };
  }

  async #open(agentId: string): Promise<Chain> {
    const known = this.#chains.get(folderOf(agentId));
    if (known !== undefined) return known;
    const parent = join(this.#deps.directory, folderOf(agentId));
    const newest = (await readFolder(parent)).map(Number).sort((a, b) => b - a)[0];
    if (newest === undefined) return await this.#create(agentId);
    const directory = join(parent, String(newest));
    const { head, segment, segmentBytes } = await recoverJournal(directory);
    return this.#keep(agentId, { directory, head, segment, bytes: segmentBytes });
  }

  async #create(agentId: string): Promise<Chain> {
    const parent = join(this.#deps.directory, folderOf(agentId));
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const newest = Math.max(0, ...(await readFolder(parent)).map(Number));
    const directory = join(parent, String(newest + 1));
    await mkdir(directory, { mode: 0o700 });
    await syncDirectory(parent);
    const segment = segmentAt(directory, 1);
    return this.#keep(agentId, { directory, head: GENESIS, segment, bytes: 0 });
  }

  #keep(agentId: string, chain: Chain): Chain {
    this.#chains.set(folderOf(agentId), chain);
    return chain;
  }

  #recordBreak(agentId: string, head: JournalPosition, [first]: readonly JournalLine[]): void {
    const details = { kept_through: head.seq, continued_with: first?.seq ?? 0 };
    this.#deps.log.warn(
      { agent_id: agentId, ...details },
      "An agent's audit chain does not go on from what is kept of it",
    );
    this.#deps.audit.event({
      action: "audit.agent_chain_break",
      subject: { kind: "node", id: agentId, podUid: null, node: null },
      decision: "failed",
      reasonCode: "chain_broken",
      details,
    });
  }
}

const LINE_END = Buffer.from("\n");

function readLine(bytes: Uint8Array, index: number): JournalLine {
  const line = bytes.length <= MAX_LINE_BYTES ? parseLine(bytes) : undefined;
  if (line === undefined || Buffer.from(bytes).includes(LINE_END)) {
    throw invalidArgument(`lines[${index}]: is no line of an audit log`);
  }
  return line;
}

async function isContinued(chain: Chain, lines: readonly JournalLine[]): Promise<boolean> {
  const { head, directory } = chain;
  const next = lines.find(({ seq }) => seq === head.seq + 1);
  if (next !== undefined) return follows(next, head);
  const last = lines.at(-1);
  if (last === undefined || last.seq > head.seq) return false;
  // Nothing new. Either it is a repetition, or the agent has begun to count anew.
  if (last.seq === head.seq) return last.hash === head.hash;
  for await (const kept of readJournal(directory, last.seq)) return kept.hash === last.hash;
  return false;
}

function begin(chain: Chain, [first]: readonly JournalLine[]): Chain {
  if (first === undefined) return chain;
  chain.head = { seq: first.seq - 1, hash: first.prev };
  chain.segment = segmentAt(chain.directory, first.seq);
  chain.bytes = 0;
  return chain;
}

/** The agent's path with "~" for "/", which no SPIFFE ID contains; a hash where that is too long for a file name. */
function folderOf(agentId: string): string {
  const name = agentId.replace(/^spiffe:\/\/[^/]*\/spire\/agent\//, "").replaceAll("/", "~");
  return name.length <= 200 ? name : `sha256-${hash("sha256", agentId, "hex")}`;
}

async function readFolder(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (err) {
    if (isMissing(err)) return [];
    throw err;
  }
}
