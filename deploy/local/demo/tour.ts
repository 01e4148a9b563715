import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Entry } from "../../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { LocalAuthority } from "../../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { assaySource } from "../assay-command.ts";
import type { LocalMachine } from "../local-machine.ts";
import { registerWorkload } from "../user-entry.ts";
import type { Guide } from "./guide.ts";
import { Service } from "./service.ts";

/** Renewed after a third of it, so that a tour sees it happen. */
const x509SvidTtl = 15;

/** Everything a tour needs. */
interface Tour {
  readonly machine: LocalMachine;
  readonly guide: Guide;
  readonly signal: AbortSignal;
  readonly store: Service;
  readonly web: Service;
  /** ID of web's entry. */
  readonly entryId: string;
}

/** @throws {Error} when something does not happen */
export async function takeTour(
  machine: LocalMachine,
  guide: Guide,
  signal: AbortSignal,
): Promise<void> {
  guide.step("A server and an agent start on this machine.");
  await guide.time("server serves", () => machine.startServer());
  await guide.time("agent has attested", () => machine.startAgent());
  await using services = new AsyncDisposableStack();
  const tour = await addEntries(machine, guide, signal, services);
  await callOver(tour);
  await changeEntry(tour);
  await rotate(tour);
  await deleteEntry(tour);
  await explain(tour);
}

async function addEntries(
  machine: LocalMachine,
  guide: Guide,
  signal: AbortSignal,
  services: AsyncDisposableStack,
): Promise<Tour> {
  const { trustDomain, layout } = machine;
  const folder = join(layout.home, "bin");
  const start = async (name: string, arg: string): Promise<Service> => {
    const { workloadSocket } = layout;
    return services.use(await Service.start({ name, folder, args: [arg], workloadSocket }));
  };
  const register = (name: string): Promise<string> => {
    const selectors = [`unix:path:${Service.executableOf(folder, name)}`];
    return registerWorkload(machine, { path: `/${name}`, selectors, x509SvidTtl }, signal);
  };
  guide.step("Two services start, store and web. Entries are added while they wait.");
  const store = await start("store", trustDomain);
  const web = await start("web", `spiffe://${trustDomain}/store`);
  const entryId = await guide.time("entries added, both have their identity", async () => {
    await register("store");
    const id = await register("web");
    await Promise.all([store.next("identity", undefined, 0), web.next("identity", undefined, 0)]);
    return id;
  });
  return { machine, guide, signal, store, web, entryId };
}

async function callOver({ guide, store, web }: Tour): Promise<void> {
  guide.step("web calls store over mutual TLS, a new connection each time.");
  const { port } = await store.next("listening", undefined, 0);
  web.order({ kind: "call", port });
  const { peer } = await web.next("answered");
  guide.tell(`store saw ${peer}`);
}

async function changeEntry({ machine, guide, signal, web, entryId }: Tour): Promise<void> {
  guide.step("web's entry is changed: another SPIFFE ID.");
  const { trustDomain } = machine;
  const id = `spiffe://${trustDomain}/shop/web`;
  await guide.time(`entry changed, ${id} arrived`, async () => {
    const since = web.reports.length;
    await machine.server.client(Entry).batchUpdateEntry(
      {
        entries: [{ id: entryId, spiffeId: { trustDomain, path: "/shop/web" } }],
        inputMask: { spiffeId: true },
      },
      { signal, timeoutMs: 10_000 },
    );
    await web.next("identity", (report) => report.id === id, since);
  });
  const { peer } = await web.next("answered", (report) => report.peer === id);
  guide.tell(`store now sees ${peer}`);
}

async function rotate({ machine, guide, signal, store, web }: Tour): Promise<void> {
  guide.step("The signing authority is rotated while web keeps calling.");
  const authorities = machine.server.client(LocalAuthority);
  const call = { signal, timeoutMs: 10_000 };
  const since = web.reports.length;
  const { preparedAuthority } = await authorities.prepareX509Authority({}, call);
  const { authorityId = "" } = preparedAuthority ?? {};
  await authorities.activateX509Authority({ authorityId }, call);
  guide.tell(`authority ${authorityId} signs from now on`);
  await guide.time("both services have an SVID of it", async () => {
    const isNew = (report: { readonly issuer: string }): boolean => report.issuer === authorityId;
    await Promise.all([store.next("identity", isNew), web.next("identity", isNew, since)]);
  });
  // Some calls more, with both ends renewed.
  for (let calls = 0; calls < 20; calls++) await web.next("answered");
  const seen = web.reports.slice(since);
  const refused = seen.filter(({ kind }) => kind === "refused");
  const answered = seen.filter(({ kind }) => kind === "answered");
  guide.tell(`${answered.length} calls meanwhile, ${refused.length} failed`);
  if (refused.length > 0) throw new Error(`calls failed: ${JSON.stringify(refused[0])}`);
}

async function deleteEntry({ machine, guide, signal, web, entryId }: Tour): Promise<void> {
  guide.step("web's entry is deleted.");
  const refusal = await guide.time("entry deleted, next connection refused", async () => {
    const since = web.reports.length;
    const call = { signal, timeoutMs: 10_000 };
    await machine.server.client(Entry).batchDeleteEntry({ ids: [entryId] }, call);
    return web.next("refused", undefined, since);
  });
  guide.tell(refusal.reason);
  const since = web.reports.length;
  await web.next("refused");
  const answered = web.reports.slice(since).some(({ kind }) => kind === "answered");
  if (answered) throw new Error("web was served although its entry is gone");
}

async function explain({ machine, guide, web }: Tour): Promise<void> {
  guide.step(`Why? assay why --pid ${web.pid}`);
  const { layout } = machine;
  const { stdout } = await promisify(execFile)(process.execPath, [
    assaySource,
    "why",
    ...["--pid", String(web.pid)],
    ...["--agent-socket", layout.agentAdminSocket],
    ...["--socket", layout.adminSocket],
  ]);
  guide.tell(stdout);
  if (!stdout.includes("no_entry")) throw new Error("expected the cause no_entry");
}
