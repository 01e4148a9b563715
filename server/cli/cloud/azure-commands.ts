/** `assay cloud azure trust|credentials`. */
import type { Command } from "commander";
import type { CliIo } from "../../../runtime/cli/cli-io.ts";
import { CliError, usageError } from "../../../runtime/cli/exit-code.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { AZURE_AUDIENCE, AZURE_AUTHORITY, requestToken } from "./azure-token.ts";
import { azureTrust } from "./trust.ts";
import { printTrust, type TrustOptions, withTrustOptions } from "./trust-command.ts";
import { fetchToken, type TokenOptions, withTokenOptions } from "./workload-token.ts";

interface CredentialsOptions extends TokenOptions {
  readonly tenant: string;
  readonly clientId: string;
  readonly scope: string;
  readonly audience: string;
  readonly authorityHost: string;
}

export function addAzureCommands(cloud: Command, io: CliIo, clock: Clock): void {
  const azure = cloud.command("azure").description("Microsoft Azure.");

  withTrustOptions(azure.command("trust"), AZURE_AUDIENCE)
    .description("Print federated credentials of an application for identities.")
    .option("--name <name>", "name of the credential; made of the SPIFFE ID unless given")
    .option("--existing <count>", "how many the application has already", "0")
    .addHelpText(
      "after",
      "\nExample:\n  assay cloud azure trust --issuer https://oidc.example.org --spiffe-id spiffe://example.org/backend > credential.json",
    )
    .action((options: TrustOptions & { name?: string; existing: string }) => {
      const { name, audience } = options;
      if (!/^\d{1,3}$/.test(options.existing)) throw usageError("--existing: expected a number");
      if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_-]{2,110}$/.test(name)) {
        throw usageError("--name: expected 3 to 111 letters, figures, - or _");
      }
      const existing = Number(options.existing);
      return printTrust(io, options, { audience, needsRs256: true }, (requests) =>
        azureTrust(requests, { name, existing }),
      );
    });

  withTokenOptions(azure.command("credentials"))
    .description("Exchange a JWT-SVID for an access token of an application.")
    .requiredOption("--tenant <id>", "the directory")
    .requiredOption("--client-id <id>", "the application")
    .option("--scope <scope>", "what the token is for", "https://management.azure.com/.default")
    .option("--audience <audience>", "audience of the JWT-SVID", AZURE_AUDIENCE)
    .option("--authority-host <url>", "of another cloud than the public one", AZURE_AUTHORITY)
    .addHelpText(
      "after",
      "\nExample:\n  assay cloud azure credentials --tenant 7c2e... --client-id 1f3b... --scope https://vault.azure.net/.default",
    )
    .action(async (options: CredentialsOptions) => {
      const { tenant, clientId, scope, audience, authorityHost } = options;
      for (const [name, value] of Object.entries({ tenant, "client-id": clientId })) {
        if (!/^[A-Za-z0-9.-]{1,128}$/.test(value)) throw usageError(`--${name}: expected an ID`);
      }
      const now = clock.now();
      const { token } = await fetchToken(io, options, audience, now);
      checkRs256(token);
      const endpoint = authorityHost.replace(/\/+$/, "");
      const request = { tenant, clientId, scope, token, endpoint };
      const { accessToken, expiresAt } = await requestToken(request, now, io.signal);
      const output = { access_token: accessToken, token_type: "Bearer", expires_at: expiresAt };
      io.write(`${JSON.stringify(output)}\n`);
    });
}

/** Entra would say only that the signature is wrong. */
function checkRs256(token: string): void {
  const [header = ""] = token.split(".", 1);
  const { alg } = JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
  if (alg === "RS256") return;
  throw new CliError(`the token is signed with ${alg}, and Entra takes RS256 only`, {
    hint: "the server needs an RSA type in ca.jwtKeyTypes, and RS256 for this audience in jwt.audiences or for the entry",
  });
}
