/** `assay cloud aws|gcp|azure trust`: what all three have in common. */
import type { Command } from "commander";
import { Admin } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../../runtime/cli/cli-io.ts";
import { CliError, ExitCode, usageError } from "../../../runtime/cli/exit-code.ts";
import { collect } from "../../../runtime/cli/options.ts";
import { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import { issuerProblem } from "../../config/issuer-url.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "../server-cli.ts";
import { idText } from "../wire-text.ts";
import { type Trust, TrustProblem, type TrustRequest } from "./trust.ts";

/** Options of every such command. */
export interface TrustOptions extends ServerOptions {
  readonly entry?: string[];
  readonly spiffeId?: string[];
  readonly issuer: string;
  readonly audience: string;
}

export function withTrustOptions(command: Command, audience: string | undefined): Command {
  const described = withServerOptions(command)
    .option("--entry <id>", "for the identity of this entry, which is checked as well", collect)
    .option("--spiffe-id <id>", "for this identity, without asking the server", collect)
    .requiredOption("--issuer <url>", "ca.jwtIssuer of the server");
  const what = "audience of the tokens";
  return audience === undefined
    ? described.option("--audience <audience>", `${what}; the provider's own name unless given`)
    : described.option("--audience <audience>", what, audience);
}

/** Checks what is asked for, prints what `make` makes of it, and tells the notes on standard error. */
export async function printTrust(
  io: CliIo,
  options: TrustOptions,
  o: { readonly audience: string; readonly needsRs256?: boolean },
  make: (requests: readonly TrustRequest[]) => Trust,
): Promise<void> {
  const { issuer, entry: entryIds = [], spiffeId: ids = [] } = options;
  const { audience } = o;
  const problem = issuerProblem(issuer);
  if (problem !== undefined) throw usageError(`--issuer: ${problem}`);
  if (entryIds.length + ids.length === 0) throw usageError("expected --entry or --spiffe-id");
  const identities = ids.map(checkId);
  if (entryIds.length > 0) {
    await runWithServer(io, options, async (session) => {
      identities.push(...(await identitiesOf(session, entryIds, audience)));
      if (o.needsRs256 === true) await checkRs256(session);
    });
  }
  try {
    const requests = identities.map((spiffeId) => ({ issuer, spiffeId, audience }));
    const { content, notes } = make(requests);
    io.write(`${JSON.stringify(content, null, 2)}\n`);
    for (const note of notes) io.writeError(`note: ${note}\n`);
  } catch (err) {
    if (!(err instanceof TrustProblem)) throw err;
    throw new CliError(err.message, { exitCode: ExitCode.conflict });
  }
}

/** For clouds whose configuration is for one identity. */
export function onlyOne(requests: readonly TrustRequest[]): TrustRequest {
  const [only] = requests;
  if (only === undefined || requests.length > 1) throw usageError("expected one identity");
  return only;
}

async function identitiesOf(
  session: ServerSession,
  ids: readonly string[],
  audience: string,
): Promise<readonly string[]> {
  const { entries } = await session.client(Admin).listEntries({ ids: [...ids] }, session.call);
  return ids.map((id) => {
    const found = entries.find(({ entry }) => entry?.id === id);
    if (found?.entry === undefined) {
      throw new CliError(`there is no entry ${id}`, { exitCode: ExitCode.notFound });
    }
    const allowed = found.metadata?.allowedAudiences ?? [];
    if (allowed.length > 0 && !allowed.includes(audience)) {
      throw new CliError(`entry ${id} does not allow the audience ${audience}`, {
        exitCode: ExitCode.conflict,
        hint: `assay entry update ${id} --allowed-audience ${audience}`,
      });
    }
    return idText(found.entry.spiffeId);
  });
}

async function checkRs256(session: ServerSession): Promise<void> {
  const { authorities } = await session.client(Admin).listAuthorities({}, session.call);
  const signs = authorities.some(
    ({ kind, algorithm, state }) => kind === "jwt" && algorithm === "RS256" && state === "active",
  );
  if (signs) return;
  throw new CliError("the server has no JWT authority for RS256", {
    exitCode: ExitCode.conflict,
    hint: "add rsa-2048 to ca.jwtKeyTypes",
  });
}

function checkId(text: string): string {
  try {
    return SpiffeId.parse(text).toString();
  } catch (err) {
    throw usageError(`--spiffe-id: ${err instanceof Error ? err.message : "invalid"}`);
  }
}
