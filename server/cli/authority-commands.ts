/** `assay authority show|prepare|activate|taint|revoke`: the trust domain's signing keys. */
import { Argument, type Command } from "commander";
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

type Kind = "x509" | "jwt";
type Step = "activate" | "taint" | "revoke";

const descriptions: Readonly<Record<Step, string>> = {
  activate: "Sign with the prepared authority from now on.",
  taint: "Mark an old authority: everything it signed is renewed.",
  revoke: "Take an old authority out of the bundle.",
};

export function addAuthorityCommands(program: Command, io: CliIo): void {
  const authority = program.command("authority").description("The trust domain's signing keys.");
  const kind = (): Argument => new Argument("<kind>", "which keys").choices(["x509", "jwt"]);

  withServerOptions(authority.command("show"))
    .description("Show the authorities: active, prepared and old.")
    .addArgument(kind())
    .addHelpText("after", "\nExample:\n  assay authority show x509")
    .action((which: Kind, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const client = session.client(LocalAuthority);
        const { active, prepared, old } =
          which === "x509"
            ? await client.getX509AuthorityState({}, session.call)
            : await client.getJWTAuthorityState({}, session.call);
        const rows = Object.entries({ active, prepared, old }).flatMap(([state, each]) =>
          each ? [rowOf(each, state)] : [],
        );
        session.printRows(rows, ["state", "authority_id", "expires_at"]);
      }),
    );

  withServerOptions(authority.command("prepare"))
    .description("Make the next authority and publish it.")
    .addArgument(kind())
    .addHelpText("after", "\nExample:\n  assay authority prepare x509")
    .action((which: Kind, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const client = session.client(LocalAuthority);
        const { preparedAuthority } =
          which === "x509"
            ? await client.prepareX509Authority({}, session.call)
            : await client.prepareJWTAuthority({}, session.call);
        if (preparedAuthority) session.printOne(rowOf(preparedAuthority, "prepared"));
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

async function take(
  step: Step,
  kind: Kind,
  authorityId: string,
  session: ServerSession,
): Promise<AuthorityState | undefined> {
  const client = session.client(LocalAuthority);
  const request = { authorityId };
  const { call } = session;
  const isX509 = kind === "x509";
  switch (step) {
    case "activate":
      return isX509
        ? (await client.activateX509Authority(request, call)).activatedAuthority
        : (await client.activateJWTAuthority(request, call)).activatedAuthority;
    case "taint":
      return isX509
        ? (await client.taintX509Authority(request, call)).taintedAuthority
        : (await client.taintJWTAuthority(request, call)).taintedAuthority;
    case "revoke":
      return isX509
        ? (await client.revokeX509Authority(request, call)).revokedAuthority
        : (await client.revokeJWTAuthority(request, call)).revokedAuthority;
  }
}

function rowOf(state: AuthorityState, name: string): Row {
  return {
    state: name,
    authority_id: state.authorityId,
    expires_at: timeOf(state.expiresAt),
  };
}
