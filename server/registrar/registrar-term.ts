import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { KubeClient } from "../k8s/kube-client.ts";
import { isMassLoss } from "../k8s/mass-loss.ts";
import type { ChangeListener, Loss } from "./cluster-follower.ts";
import { ClusterIndex } from "./cluster-index.ts";
import { isAlive, needsServices, selects, selectsNamespace } from "./desired-entries.ts";
import type { DesiredEntry } from "./desired-entry.ts";
import type { EntryApi } from "./entry-api.ts";
import { changesOf, EntryBook, type GroupChanges, type ListedEntries } from "./entry-book.ts";
import { EntryWriter } from "./entry-writer.ts";
import { evaluateGroup } from "./evaluate-group.ts";
import { type Hold, Holds } from "./holds.ts";
import type { RegistrarMetrics } from "./metrics.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import { nameOfOrigin } from "./resources/resource.ts";
import { Retries } from "./retries.ts";
import type { FederationOutcome } from "./run-federation.ts";
import { statusOf } from "./status/resource-status.ts";
import { StatusWriter } from "./status/status-writer.ts";
import { Tally } from "./tally.ts";
import type { WriteProblem } from "./write-batch.ts";

/** What a term needs. */
export interface RegistrarTermDeps {
  readonly rules: RegistrarRules;
  readonly api: EntryApi;
  readonly client: Pick<KubeClient, "get" | "merge">;
  readonly metrics: RegistrarMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * What the registrar of a cluster knows and does while it acts: it hears what changed, decides anew about the groups concerned, and
 * has the difference written. It never touches an entry that it does not have in its book.
 */
export class RegistrarTerm implements ChangeListener {
  readonly index: ClusterIndex;
  readonly book: EntryBook = new EntryBook();
  readonly holds: Holds;
  readonly writer: EntryWriter;
  readonly retries: Retries;
  readonly statuses: StatusWriter;
  readonly #deps: RegistrarTermDeps;
  readonly #tally: Tally;
  /** Groups that were asked for while nothing may be written. */
  readonly #parked = new Set<string>();
  /** Groups that were written since a list of our own entries began. */
  #writtenSince: Set<string> | undefined;
  readonly #federated = new Map<string, FederationOutcome>();
  #isDoubtful = false;
  /** Called when a list makes it doubtful that this is still the same cluster. */
  onDoubt: () => void = () => {};

  constructor(deps: RegistrarTermDeps) {
    const { rules, clock, random } = deps;
    this.#deps = deps;
    this.index = new ClusterIndex(rules);
    this.holds = new Holds(deps);
    this.retries = new Retries({ clock, random });
    this.statuses = new StatusWriter({ ...deps, statusOf: (name) => this.#statusOf(name) });
    this.#tally = new Tally((resource) => this.statuses.want(resource));
    this.writer = new EntryWriter({
      ...deps,
      cluster: rules.clusterName,
      book: this.book,
      plan: (group) => this.#plan(group),
      written: (group, problems) => this.#written(group, problems),
    });
  }

  /** How many groups the server refuses something of. */
  get failing(): number {
    return this.#tally.refusedCount;
  }

  touched(groups: Iterable<string>): void {
    for (const group of groups) this.writer.want(group);
  }

  /** Whether what the cluster says can be acted on now. */
  get isTrusted(): boolean {
    return !this.#isDoubtful && !this.holds.isTotal;
  }

  /** What became of a resource that is a relationship. */
  federated(name: string, outcome: FederationOutcome): void {
    const before = this.#federated.get(name);
    this.#federated.set(name, outcome);
    if (JSON.stringify(before) !== JSON.stringify(outcome)) this.statuses.want(name);
  }

  described(resource: string): void {
    this.statuses.want(resource);
  }

  returned(kind: string, groups: Iterable<string>): void {
    for (const group of groups) this.#letGo(group, kind);
  }

  gone(groups: Iterable<string>): void {
    for (const group of groups) this.#letGo(group);
  }

  missing({ what, lost, kept, groups }: Loss): void {
    if (isMassLoss(lost, kept)) {
      this.#hold({
        reason: "mass_loss",
        message: `a list lacks ${lost} of ${lost + kept} ${what}; the entries of ${groups.length} stay`,
        kinds: [what],
        groups,
      });
    }
    this.touched(groups);
  }

  listed(): void {
    this.#isDoubtful = true;
    this.onDoubt();
  }

  /** The cluster was seen to be the one that it was. */
  trust(): void {
    this.#isDoubtful = false;
    this.#unpark();
  }

  /** Stops everything until somebody confirms that another cluster has taken the place of the known one. */
  distrust(known: string, found: string): void {
    if (this.holds.isTotal) return;
    this.#hold({
      reason: "other_cluster",
      message: `the API server is another cluster's: kube-system has UID ${found}, known is ${known}`,
      kinds: [],
      groups: undefined,
    });
  }

  /**
   * Takes over the list of our own entries at the start, and has everything looked at.
   *
   * @param accepted UIDs of clusters whose place this one was confirmed to have taken: what was theirs may go
   */
  begin({ byGroup, clusterUids }: ListedEntries, accepted: ReadonlySet<string>): void {
    for (const [group, entries] of byGroup) this.book.set(group, entries);
    const groups = new Set(this.index.groups());
    const orphans = [...byGroup.keys()].filter((group) => !groups.has(group));
    const bereft = [...byGroup.keys()].filter(
      (group) => groups.has(group) && this.#isBereft(group),
    );
    const lost = [...orphans, ...bereft];
    const others = [...clusterUids].filter((uid) => uid !== this.#deps.rules.clusterUid);
    const [unknown] = others.filter((uid) => !accepted.has(uid));
    if (unknown !== undefined) this.distrust(unknown, this.#deps.rules.clusterUid);
    else if (others.length === 0 && isMassLoss(lost.length, byGroup.size - lost.length)) {
      const message =
        `of ${byGroup.size} pods and static entries with entries ${orphans.length} are not there any more, ` +
        `and ${bereft.length} run without a node, namespace or resource that is known`;
      const kinds = ["pods", "clusterstaticentries"];
      this.#hold({ reason: "mass_loss", message, kinds, groups: lost });
    }
    this.touched(groups);
    this.touched(orphans);
  }

  /** Compares the book with a new list. What was written while it was made is left for the next one. */
  async resync(list: () => Promise<ListedEntries>): Promise<void> {
    const written = new Set<string>();
    this.#writtenSince = written;
    const { byGroup } = await list().finally(() => {
      this.#writtenSince = undefined;
    });
    for (const group of new Set([...byGroup.keys(), ...this.book.groups])) {
      if (written.has(group) || this.writer.isPending(group)) continue;
      const listed = byGroup.get(group) ?? [];
      const known = this.book.of(group);
      const isSame =
        listed.length === known.length &&
        listed.every(({ id, content }) =>
          known.some((each) => each.id === id && each.content === content),
        );
      if (isSame) continue;
      this.book.set(group, listed);
      this.touched([group]);
    }
  }

  /** Does what was held. @returns the hold, or nothing if there is none with this ID */
  confirm(id: string): Hold | undefined {
    const hold = this.holds.release(id);
    if (hold === undefined) return undefined;
    const { cluster, reason } = { cluster: this.#deps.rules.clusterName, reason: hold.reason };
    this.#deps.log.info({ cluster, reason }, "Held changes were confirmed");
    if (hold.groups !== undefined) this.touched(hold.groups);
    this.#unpark();
    this.#wantAll();
    return hold;
  }

  #hold(hold: Parameters<Holds["add"]>[0]): void {
    const { reason, message } = hold;
    const { id } = this.holds.add(hold);
    const { clusterName: cluster } = this.#deps.rules;
    this.#deps.log.error(
      { cluster, hold_id: id, reason, detail: message },
      "Changes are held back until they are confirmed",
    );
    this.#wantAll();
  }

  #letGo(group: string, kind?: string): void {
    if (this.holds.letGo(group, kind)) this.#wantAll();
  }

  /** Has every status looked at: whether anything is held is in all of them. */
  #wantAll(): void {
    for (const name of this.index.readings.keys()) this.statuses.want(name);
  }

  /** Whether a pod runs, and what its entries rest on is missing. */
  #isBereft(group: string): boolean {
    const around = this.index.surroundings(group);
    if (around === undefined || !isAlive(around.pod)) return false;
    const { pod, node, namespace } = around;
    const { rules } = this.#deps;
    return (
      node === undefined ||
      !this.index.rules.values().some((rule) => selects(rule, pod, namespace, rules))
    );
  }

  #unpark(): void {
    if (this.#isPaused) return;
    const groups = [...this.#parked];
    this.#parked.clear();
    this.touched(groups);
  }

  get #isPaused(): boolean {
    return this.#isDoubtful || this.holds.isTotal;
  }

  #plan(group: string): GroupChanges | undefined {
    if (this.#isPaused) {
      this.#parked.add(group);
      return undefined;
    }
    const entries = this.#evaluate(group);
    const around = this.index.surroundings(group);
    // Its entries would lose the names that they have.
    if (around && needsServices(this.index.rules.values(), around, this.#deps.rules))
      return undefined;
    const changes = changesOf(entries, this.book.of(group));
    if (!this.holds.has(group)) return changes;
    const hasEnded = around !== undefined && !isAlive(around.pod);
    if (changes.remove.length > 0 && !hasEnded) return { ...changes, remove: [] };
    // What was missing is there again, or the pod itself says that it needs nothing.
    this.#letGo(group);
    return changes;
  }

  /** The entries that a group is to have; counts what came of its resources on the way. */
  #evaluate(group: string): readonly DesiredEntry[] {
    const { entries, records } = evaluateGroup(this.index, group, this.#deps.rules);
    this.#tally.set(group, records);
    return entries;
  }

  #written(group: string, problems: readonly WriteProblem[]): void {
    this.#writtenSince?.add(group);
    for (const resource of this.#tally.resourcesOf(group)) {
      const problem = problems.find(({ origin }) => origin && nameOfOrigin(origin) === resource);
      this.#tally.refused(group, resource, problem?.message);
    }
    if (problems.length > 0) this.retries.failed(group);
    else this.retries.succeeded(group);
  }

  #statusOf(name: string) {
    const reading = this.index.readings.get(name);
    if (reading === undefined) return undefined;
    const tally = this.#tally.of(name);
    const isHeld = this.holds.all.length > 0;
    const federation = this.#federated.get(name);
    const facts = { ...this.#namespacesOf(name), isHeld, federation };
    return { reading, status: statusOf(reading, tally, facts) };
  }

  #namespacesOf(name: string) {
    const rule = this.index.rules.get(name);
    let namespacesSelected = 0;
    let namespacesIgnored = 0;
    if (rule === undefined) return { namespacesSelected, namespacesIgnored };
    for (const namespace of this.index.namespaces) {
      if (!selectsNamespace(rule, namespace)) continue;
      namespacesSelected += 1;
      if (this.#deps.rules.ignoredNamespaces.has(namespace.name)) namespacesIgnored += 1;
    }
    return { namespacesSelected, namespacesIgnored };
  }
}
