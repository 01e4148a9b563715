/** `assay federation create|update|list|show|refresh|delete`: which foreign trust domains are trusted, for what, until when. */
import type { Command } from "commander";
import { Admin, type FederationState } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { FederationLimits } from "../../proto/gen/assay/federation/v1/limits_pb.ts";
import { TrustDomain } from "../../proto/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import type { Row } from "../../runtime/cli/output.ts";
import {
  type FederationOptions,
  federationFromOptions,
  withFederationOptions,
} from "./federation-options.ts";
import { waitForRollout } from "./rollout.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";
import { timeOf } from "./wire-text.ts";

const columns = [
  "trust_domain",
  "trusted_for",
  "ends_at",
  "owner",
  "enforced_by",
  "not_enforced_by",
  "withheld_from",
  "fetched_at",
  "findings",
];

export function addFederationCommands(program: Command, io: CliIo): void {
  const federation = program
    .command("federation")
    .description("Trust in foreign trust domains, and what for.");

  withFederationOptions(federation.command("create"))
    .description("Trust a foreign trust domain, for what is named and nothing else.")
    .addHelpText(
      "after",
      "\nExample:\n  assay federation create partner.example --profile https_web --url https://partner.example/bundle \\\n    --allow-id '/payments/*' --allow-audience billing --ends-at 2027-01-31 --owner payments",
    )
    .action((trustDomain: string, options: FederationOptions) =>
      runWithServer(io, options, async (session) => {
        const request = await federationFromOptions(io, trustDomain, options);
        if (request.federation.limits === undefined) {
          throw usageError(
            "say what it is trusted for: --allow-id, --allow-audience, or --any for everything",
          );
        }
        const endpoint = request.federation.endpoint ?? { profile: "none" };
        const whole = { ...request, federation: { ...request.federation, endpoint } };
        const answer = await session.client(Admin).createFederation(whole, session.call);
        await finish(session, options, answer);
      }),
    );

  withFederationOptions(federation.command("update"))
    .description("Change a relationship; what is not named stays as it is.")
    .addHelpText(
      "after",
      "\nExample:\n  assay federation update partner.example --ends-at 2028-01-31",
    )
    .action((trustDomain: string, options: FederationOptions) =>
      runWithServer(io, options, async (session) => {
        const current = await find(session, trustDomain);
        const limits = current.federation?.limits;
        const request = await federationFromOptions(io, trustDomain, options, limits);
        const answer = await session.client(Admin).updateFederation(request, session.call);
        await finish(session, options, answer);
      }),
    );

  withServerOptions(federation.command("list"))
    .description("List whom we trust for what until when, and by whom that is enforced.")
    .addHelpText("after", "\nExample:\n  assay federation list")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { federations } = await session.client(Admin).listFederations({}, session.call);
        session.printRows(federations.map(rowOf), columns);
      }),
    );

  withServerOptions(federation.command("show"))
    .description("Show everything about one relationship.")
    .argument("<trust domain>")
    .addHelpText("after", "\nExample:\n  assay federation show partner.example")
    .action((trustDomain: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        session.printOne(rowOf(await find(session, trustDomain)));
      }),
    );

  withServerOptions(federation.command("refresh"))
    .description("Fetch a foreign bundle now.")
    .argument("<trust domain>")
    .addHelpText("after", "\nExample:\n  assay federation refresh partner.example")
    .action((trustDomain: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        await session.client(TrustDomain).refreshBundle({ trustDomain }, session.call);
        session.printOne(rowOf(await find(session, trustDomain)));
      }),
    );

  withServerOptions(federation.command("delete"))
    .description("Trust a foreign trust domain no longer. Its bundle is withdrawn everywhere.")
    .argument("<trust domain>")
    .option("--wait", "wait until every connected agent has applied it")
    .addHelpText("after", "\nExample:\n  assay federation delete partner.example --wait")
    .action((trustDomain: string, options: ServerOptions & { readonly wait?: boolean }) =>
      runWithServer(io, options, async (session) => {
        const answer = await session.client(Admin).deleteFederation({ trustDomain }, session.call);
        io.writeError(`deleted federation with ${trustDomain}\n`);
        if (options.wait === true) await waitForRollout(session, answer.revision);
      }),
    );
}

async function finish(
  session: ServerSession,
  options: FederationOptions,
  answer: { readonly federation?: FederationState | undefined; readonly revision: bigint },
): Promise<void> {
  if (answer.federation !== undefined) session.printOne(rowOf(answer.federation));
  if (options.wait === true) await waitForRollout(session, answer.revision);
}

async function find(session: ServerSession, trustDomain: string): Promise<FederationState> {
  const request = { trustDomain };
  const { federations } = await session.client(Admin).listFederations(request, session.call);
  const [found] = federations;
  if (found === undefined) throw new Error("the server answered without the relationship");
  return found;
}

function rowOf(state: FederationState): Row {
  const { federation, enforcement } = state;
  const { endpoint, limits } = federation ?? {};
  const consumersIn = (wanted: string): string[] =>
    enforcement.filter((each) => each.state === wanted).map(({ consumer }) => consumer);
  return {
    trust_domain: federation?.trustDomain,
    profile: endpoint?.profile,
    url: endpoint?.url,
    endpoint_id: endpoint?.endpointId,
    trusted_for: limits === undefined ? undefined : trustedFor(limits),
    allow_ids: limits?.idPatterns,
    allow_audiences: limits?.audiences,
    ends_at: timeOf(limits?.endsAt ?? 0n),
    owner: limits?.owner,
    purpose: limits?.purpose,
    enforced_by: consumersIn("enforced"),
    not_enforced_by: [...consumersIn("not_enforced"), ...consumersIn("unlimited")],
    withheld_from: consumersIn("withheld"),
    entries: state.entries,
    unrestricted_entries: state.unrestrictedEntries,
    sequence: state.sequence,
    x509_authorities: state.x509Authorities,
    jwt_authorities: state.jwtAuthorities,
    fetched_at: timeOf(state.fetchedAt),
    next_fetch_at: timeOf(state.nextFetchAt),
    failure_code: state.failureCode,
    failure: state.failure,
    findings: state.findings,
    origin: state.origin,
    ended_at: timeOf(state.endedAt),
    created_at: timeOf(state.createdAt),
    created_by: state.createdBy,
    updated_by: state.updatedBy,
  };
}

function trustedFor({ any, idPatterns, audiences }: FederationLimits): string {
  if (any) return "everything";
  const parts = [...idPatterns, ...audiences.map((audience) => `audience ${audience}`)];
  return parts.length === 0 ? "nothing" : parts.join(", ");
}
