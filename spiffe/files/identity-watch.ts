import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import { BundleSet } from "../bundle/bundle-set.ts";
import { SpiffeError } from "../error.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import type { X509Svid } from "../svid/x509-svid.ts";
import { WorkloadApiClient } from "../workloadapi/client.ts";
import {
  readFetchedJwtSvid,
  readJwtBundles,
  readX509Context,
  type X509Context,
} from "../workloadapi/messages.ts";
import type { ResolvedSourceOptions } from "../workloadapi/source-options.ts";
import { watch } from "../workloadapi/watch.ts";
import { type FileSpec, needsJwtBundles } from "./file-spec.ts";
import type { IdentityStanding } from "./identity-state.ts";
import { keepToken } from "./token-keeper.ts";

/**
 * Everything that some files are made of, kept fresh by the Workload API: one SVID, the bundles, and the tokens that the files ask
 * for. Its standing is `held` only when all of it is there.
 */
export class IdentityWatch implements Disposable {
  readonly #client: WorkloadApiClient;
  readonly #files: readonly FileSpec[];
  readonly #pick: (svids: readonly X509Svid[]) => X509Svid | undefined;
  readonly #options: ResolvedSourceOptions;
  readonly #standing = new Feed<IdentityStanding>({ kind: "waiting" });
  readonly #subject = new Feed<SpiffeId | undefined>(undefined);
  readonly #tokens = new Map<string, string>();
  #x509: X509Context | undefined;
  #jwtBundles: BundleSet | undefined;
  #wasHeld = false;

  /** @throws {SpiffeError} "endpoint_not_configured" | "endpoint_address" */
  constructor(
    files: readonly FileSpec[],
    pick: (svids: readonly X509Svid[]) => X509Svid | undefined,
    options: ResolvedSourceOptions,
  ) {
    this.#client = new WorkloadApiClient(options.address, options.environmentValue);
    this.#files = files;
    this.#pick = pick;
    this.#options = options;
    if (!files.some(needsJwtBundles)) this.#jwtBundles = new BundleSet();
  }

  get standing(): ReadFeed<IdentityStanding> {
    return this.#standing;
  }

  /** Follows the Workload API until `signal` aborts. @throws {Error} what asking again would not change */
  async run(signal: AbortSignal): Promise<void> {
    const tasks: Record<string, (signal: AbortSignal) => Promise<void>> = {
      "the watch of X509-SVIDs": (until) => this.#watchX509(until),
    };
    if (this.#files.some(needsJwtBundles)) {
      tasks["the watch of JWT bundles"] = (until) => this.#watchJwtBundles(until);
    }
    if (this.#files.some(({ type }) => type === "jwt")) {
      tasks["the renewal of tokens"] = (until) => this.#keepTokens(until);
    }
    await runTasks(tasks, signal);
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  #watchX509(signal: AbortSignal): Promise<void> {
    const { onProblem } = this.#options;
    return watch<Parameters<typeof readX509Context>[0], X509Context>(
      {
        open: (until) => this.#client.x509Svids(until),
        read: readX509Context,
        onUpdate: (context) => this.#take(context),
        onWithdrawn: () => this.#take(undefined),
        onProblem,
      },
      this.#options,
      signal,
    );
  }

  #watchJwtBundles(signal: AbortSignal): Promise<void> {
    const { onProblem } = this.#options;
    return watch<Parameters<typeof readJwtBundles>[0], BundleSet>(
      {
        open: (until) => this.#client.jwtBundles(until),
        read: readJwtBundles,
        onUpdate: (bundles) => {
          this.#jwtBundles = bundles;
          this.#settle();
        },
        // The stream of SVIDs tells of a withdrawal; it concerns everything.
        onWithdrawn: () => {},
        onProblem,
      },
      this.#options,
      signal,
    );
  }

  #take(context: X509Context | undefined): void {
    this.#x509 = context;
    const subject = context === undefined ? undefined : this.#pick(context.svids)?.id;
    if (context !== undefined && subject === undefined) {
      const message = "no identity of this workload is the one that was asked for";
      this.#options.onProblem(new SpiffeError("identity_withdrawn", message));
    }
    if (subject?.toString() !== this.#subject.value?.toString()) {
      this.#tokens.clear();
      this.#subject.set(subject);
    }
    this.#settle();
  }

  /** Tokens are those of one identity: another one starts them anew. */
  async #keepTokens(signal: AbortSignal): Promise<void> {
    let over = new AbortController();
    let keeping: Promise<unknown> = Promise.resolve();
    for await (const subject of this.#subject.subscribe(signal)) {
      over.abort();
      await keeping;
      over = new AbortController();
      const until = AbortSignal.any([signal, over.signal]);
      if (subject !== undefined) keeping = this.#keepTokensOf(subject, until);
    }
    await keeping;
  }

  async #keepTokensOf(subject: SpiffeId, signal: AbortSignal): Promise<void> {
    const { clock, random, onProblem } = this.#options;
    const fetch = async (audience: readonly string[], id: SpiffeId, until: AbortSignal) => {
      const { svids } = await this.#client.jwtSvids(audience, id, until);
      const [first] = svids;
      if (first !== undefined) return readFetchedJwtSvid(first, audience, clock.now());
      throw new SpiffeError("workload_message", "answer holds no token");
    };
    const keep = async (file: FileSpec): Promise<void> => {
      if (file.type !== "jwt") return;
      const onToken = ({ token }: { token: string }): void => {
        this.#tokens.set(file.name, token);
        this.#settle();
      };
      const { audience } = file;
      await keepToken({ fetch, onProblem, clock, random }, { audience, subject, onToken }, signal);
    };
    await Promise.all(this.#files.map(keep));
  }

  #settle(): void {
    const svid = this.#x509 === undefined ? undefined : this.#pick(this.#x509.svids);
    if (svid === undefined || this.#x509 === undefined) {
      this.#standing.set({ kind: "withdrawn", wasHeld: this.#wasHeld });
      return;
    }
    const isThere = (file: FileSpec): boolean => file.type !== "jwt" || this.#tokens.has(file.name);
    // Until the rest has come, what was written last stays.
    if (this.#jwtBundles === undefined || !this.#files.every(isThere)) return;
    const { bundles } = this.#x509;
    const tokens = new Map(this.#tokens);
    this.#wasHeld = true;
    this.#standing.set({
      kind: "held",
      state: { svid, bundles, jwtBundles: this.#jwtBundles, tokens },
    });
  }
}
