// A machine with identities that a test rotates at will, and `assay files run` as a process beside the program that reads the files.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unbuiltCommand } from "../../deploy/local/assay-command.ts";
import { Child } from "../../deploy/local/child.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { Entry as EntryService } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Entry } from "../../proto/gen/spire/api/types/entry_pb.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { X509Source } from "../../spiffe/client.ts";
import { parseCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import { eventually } from "./eventually.ts";
import { Machine, trustDomain } from "./machine.ts";
import { TempDir } from "./temp-dir.ts";

/** Processes have to start, on whatever machine. */
export const PATIENCE: { readonly timeoutMs: number } = { timeoutMs: 60_000 };

export class FilesWorld implements AsyncDisposable {
  readonly machine: Machine;
  readonly dir: TempDir;
  /** Where what a page configures is, by what the page calls it. */
  readonly places: Map<string, string> = new Map();
  readonly #stack: AsyncDisposableStack;
  readonly #entries = new Map<string, Entry>();
  #rotations = 0;

  private constructor(machine: Machine, dir: TempDir, stack: AsyncDisposableStack) {
    this.machine = machine;
    this.dir = dir;
    this.#stack = stack;
  }

  /** @param running a machine of the caller's, in place of one that ends with this world */
  static async open(running?: Machine): Promise<FilesWorld> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await TempDir.open(0o755));
    const machine = running ?? stack.use(await Machine.start());
    const world = new FilesWorld(machine, dir, stack.move());
    world.places.set("unix:///run/assay/agent/api.sock", world.address);
    return world;
  }

  get address(): string {
    return `unix://${this.machine.local.layout.workloadSocket}`;
  }

  /** Gives processes of this user an identity. */
  async grant(path: string, ...dnsNames: readonly string[]): Promise<void> {
    await this.grantTo(`unix:uid:${process.getuid?.()}`, path, ...dnsNames);
  }

  /** Gives an identity to processes that a selector fits, as the command line writes it: `unix:path:/bin/server`. */
  async grantTo(selector: string, path: string, ...dnsNames: readonly string[]): Promise<void> {
    const [type = "", ...value] = selector.split(":");
    const { results } = await this.#api.batchCreateEntry(
      {
        entries: [
          {
            spiffeId: { trustDomain, path },
            parentId: { trustDomain, path: this.machine.local.agentPath },
            selectors: [{ type, value: value.join(":") }],
            dnsNames: [...dnsNames],
          },
        ],
      },
      this.machine.call,
    );
    const entry = results[0]?.entry;
    if (entry === undefined) throw new Error(results[0]?.status?.message ?? "no entry was made");
    this.#entries.set(path, entry);
  }

  /** Makes the agent renew the identity's SVID at once: it gets one more DNS name, which nobody asks for. */
  async rotate(path: string): Promise<void> {
    const entry = this.#entryOf(path);
    this.#rotations += 1;
    const dnsNames = [...entry.dnsNames, `rotation-${this.#rotations}.test`];
    const { results } = await this.#api.batchUpdateEntry(
      { entries: [{ ...entry, dnsNames }], inputMask: { dnsNames: true } },
      this.machine.call,
    );
    if (results[0]?.status?.code !== 0) throw new Error(results[0]?.status?.message);
  }

  async withdraw(path: string): Promise<void> {
    const { id } = this.#entryOf(path);
    await this.#api.batchDeleteEntry({ ids: [id] }, this.machine.call);
  }

  /** An identity as the client library has it. */
  source(path: string): Promise<X509Source> {
    return X509Source.open({
      address: this.address,
      pick: (svids) => svids.find(({ id }) => id.path === path),
      signal: AbortSignal.timeout(60_000),
    });
  }

  /** A port for what a page calls by this number. */
  async port(onPage: string): Promise<number> {
    const port = await freePort(0);
    this.places.set(onPage, String(port));
    return port;
  }

  /** A block of a page, with this world's places in it. */
  async block(page: string, language: string, index = 0): Promise<string> {
    const text = await readFile(join(import.meta.dirname, "../../docs/consumers", page), "utf8");
    const found = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
      .filter(([, name]) => name === language)
      .map(([, , body = ""]) => body);
    const block = found[index];
    if (block === undefined) throw new Error(`${page} has no block ${index} of ${language}`);
    // Longer ones first: one place may lie in another.
    const places = [...this.places].toSorted(([a], [b]) => b.length - a.length);
    return places.reduce((done, [from, to]) => done.replaceAll(from, to), block);
  }

  /** Starts `assay files run` with this configuration. */
  async startFiles(name: string, yaml: string): Promise<Child> {
    const path = this.dir.join(`${name}.yaml`);
    await writeFile(path, `${yaml}\nobservability: { port: 0 }\n`);
    const { file, args } = unbuiltCommand;
    return this.start(name, file, [...args, "files", "run", "-c", path]);
  }

  /** Starts a program that ends with this world. */
  async start(name: string, file: string, args: readonly string[]): Promise<Child> {
    const logPath = this.dir.join(`${name}.log`);
    const child = await Child.start({ name, file, args, logPath });
    this.#stack.defer(async () => void (await child.stop(systemClock)));
    return child;
  }

  /** Serial number of the certificate in a file; waits for the file. */
  serialIn(path: string): Promise<string> {
    return eventually(
      `a certificate in ${path}`,
      async () => {
        const [leaf] = parseCertificatesPem(await certificatePart(path));
        return leaf?.serialNumberHex;
      },
      PATIENCE,
    );
  }

  /** Rotates, and waits for another certificate in the file. */
  async rotateInFile(path: string, file: string): Promise<string> {
    const before = await this.serialIn(file);
    await this.rotate(path);
    return await eventually(
      `another certificate in ${file}`,
      async () => {
        const serial = await this.serialIn(file);
        return serial === before ? undefined : serial;
      },
      PATIENCE,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  get #api() {
    return this.machine.local.server.client(EntryService);
  }

  #entryOf(path: string): Entry {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw new Error(`nothing was granted for ${path}`);
    return entry;
  }
}

/** What of a PEM file is certificates: there may be a key in it. */
async function certificatePart(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  return text.replace(/-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n/g, "");
}
