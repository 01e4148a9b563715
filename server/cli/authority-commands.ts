/** `assay authority list|show|prepare|activate|taint|revoke`: the trust domain's signing keys. */
import { Argument, type Command, Option } from "commander";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import {
  type AuthorityState,
  LocalAuthority,
} from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import type { Row } from "../../runtime/cli/output.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";
import { timeOf } from "./wire-text.ts";

const kinds = ["x509", "jwt", "wit"] as const;

type Kind = (typeof kinds)[number];
type Listed = Pick<AuthorityState, "authorityId" | "expiresAt">;
type Step = "activate" | "taint" | "revoke";

const descriptions: Readonly<Record<Step, string>> = {
  activate: "Sign with the prepared authority from now on.",
  taint: "Mark an old authority: everything it signed is renewed.",
  revoke: "Take an old authority out of the bundle.",
};

export function addAuthorityCommands(program: Command, io: CliIo): void {
  const authority = program.command("authority").description("The trust domain's signing keys.");
  const kind = (): Argument => new Argument("<kind>", "which keys").choices(kinds);

  withServerOptions(authority.command("list"))
    .description("List all authorities, of every kind and algorithm.")
    .addHelpText("after", "\nExample:\n  assay authority list")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { authorities } = await session.client(Admin).listAuthorities({}, session.call);
        session.printRows(
          authorities.map((one) => ({
            kind: one.kind,
            algorithm: one.algorithm,
            state: one.state,
            authority_id: one.authorityId,
            expires_at: timeOf(one.expiresAt),
          })),
          ["kind", "algorithm", "state", "authority_id", "expires_at"],
        );
      }),
    );

  withServerOptions(authority.command("show"))
    .description(
      "Show the authorities: active, prepared and old; of JWT those of the default algorithm.",
    )
    .addArgument(kind())
    .addHelpText("after", "\nExample:\n  assay authority show x509")
    .action((which: Kind, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { active, prepared, old } = await callsOf(session)[which].state();
        const rows = Object.entries({ active, prepared, old }).flatMap(([state, each]) =>
          each ? [rowOf(each, state)] : [],
        );
        session.printRows(rows, ["state", "authority_id", "expires_at"]);
      }),
    );

  withServerOptions(authority.command("prepare"))
    .description("Make the next authority and publish it.")
    .addArgument(kind())
    .addOption(
      new Option("--algorithm <name>", "of a JWT authority, when not the default one").choices([
        "ES256",
        "ES384",
        "RS256",
      ]),
    )
    .addHelpText("after", "\nExample:\n  assay authority prepare jwt --algorithm RS256")
    .action((kind: Kind, options: ServerOptions & { algorithm?: string }) =>
      runWithServer(io, options, async (session) => {
        const made = await prepare(kind, options.algorithm, session);
        if (made) session.printOne(rowOf(made, "prepared"));
      }),
    );

  for (const [step, description] of Object.entries(descriptions)) {
    withServerOptions(authority.command(step))
      .description(description)
      .addArgument(kind())
      .argument("<authority id>")
      .addHelpText("after", `\nExample:\n  assay authority ${step} x509 2f66...`)
      .action((which: Kind, authorityId: string, options: ServerOptions) =>
        runWithServer(io, options, async (session) => {
          const changed = await take(step as Step, which, authorityId, session);
          if (changed) session.printOne(rowOf(changed, step));
        }),
      );
  }
}

async function prepare(
  kind: Kind,
  algorithm: string | undefined,
  session: ServerSession,
): Promise<Listed | undefined> {
  const { call } = session;
  if (algorithm !== undefined) {
    const request = { kind, algorithm };
    return (await session.client(Admin).prepareAuthority(request, call)).authority;
  }
  return (await callsOf(session)[kind].prepare()).preparedAuthority;
}

async function take(
  step: Step,
  kind: Kind,
  authorityId: string,
  session: ServerSession,
): Promise<AuthorityState | undefined> {
  const calls = callsOf(session)[kind];
  switch (step) {
    case "activate":
      return (await calls.activate(authorityId)).activatedAuthority;
    case "taint":
      return (await calls.taint(authorityId)).taintedAuthority;
    case "revoke":
      return (await calls.revoke(authorityId)).revokedAuthority;
  }
}

/** The public API has a call of its own for each kind. */
function callsOf(session: ServerSession) {
  const client = session.client(LocalAuthority);
  const { call } = session;
  return {
    x509: {
      state: () => client.getX509AuthorityState({}, call),
      prepare: () => client.prepareX509Authority({}, call),
      activate: (authorityId: string) => client.activateX509Authority({ authorityId }, call),
      taint: (authorityId: string) => client.taintX509Authority({ authorityId }, call),
      revoke: (authorityId: string) => client.revokeX509Authority({ authorityId }, call),
    },
    jwt: {
      state: () => client.getJWTAuthorityState({}, call),
      prepare: () => client.prepareJWTAuthority({}, call),
      activate: (authorityId: string) => client.activateJWTAuthority({ authorityId }, call),
      taint: (authorityId: string) => client.taintJWTAuthority({ authorityId }, call),
      revoke: (authorityId: string) => client.revokeJWTAuthority({ authorityId }, call),
    },
    wit: {
      state: () => client.getWITAuthorityState({}, call),
      prepare: () => client.prepareWITAuthority({}, call),
      activate: (authorityId: string) => client.activateWITAuthority({ authorityId }, call),
      taint: (authorityId: string) => client.taintWITAuthority({ authorityId }, call),
      revoke: (authorityId: string) => client.revokeWITAuthority({ authorityId }, call),
    },
  };
}

function rowOf(state: Listed, name: string): Row {
  return {
    state: name,
    authority_id: state.authorityId,
    expires_at: timeOf(state.expiresAt),
  };
}
