/** `assay cloud gcp trust|config|token|credentials`. */
import type { Command } from "commander";
import type { CliIo } from "../../../runtime/cli/cli-io.ts";
import { usageError } from "../../../runtime/cli/exit-code.ts";
import { describeError } from "../../../runtime/errors/describe.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { exchangeToken, GOOGLE_IAM, GOOGLE_STS, impersonate, JWT_TOKEN_TYPE } from "./gcp-sts.ts";
import { gcpTrust } from "./trust.ts";
import { onlyOne, printTrust, type TrustOptions, withTrustOptions } from "./trust-command.ts";
import { fetchToken, type TokenOptions, withTokenOptions } from "./workload-token.ts";

interface PoolOptions {
  readonly project: string;
  readonly pool: string;
  readonly provider: string;
  readonly audience?: string;
}

interface AccountOptions extends PoolOptions {
  readonly serviceAccount?: string;
}

interface CredentialsOptions extends AccountOptions, TokenOptions {
  readonly scope: string;
  readonly stsUrl: string;
  readonly iamUrl: string;
}

export function addGcpCommands(cloud: Command, io: CliIo, clock: Clock): void {
  const gcp = cloud.command("gcp").description("Google Cloud.");

  withPoolOptions(withTrustOptions(gcp.command("trust"), undefined))
    .description("Print a workload identity pool provider for an identity.")
    .addHelpText(
      "after",
      example("trust --issuer https://oidc.example.org --spiffe-id spiffe://example.org/backend"),
    )
    .action((options: TrustOptions & PoolOptions) => {
      checkPool(options);
      const audience = options.audience ?? audienceOf(options);
      return printTrust(io, options, { audience }, (all) => gcpTrust(onlyOne(all), options));
    });

  withAccountOption(withPoolOptions(withAudience(gcp.command("config"))))
    .description(
      "Print a credential configuration, with which Google's libraries call `assay cloud gcp token`.",
    )
    .option("--command <path>", "the command assay, as the libraries find it", "/usr/bin/assay")
    .addHelpText("after", example("config > credentials.json"))
    .action((options: AccountOptions & { command: string }) => {
      checkPool(options);
      if (!/^\/[\w./-]+$/.test(options.command)) throw usageError("--command: expected a path");
      io.write(`${JSON.stringify(configOf(options), null, 2)}\n`);
    });

  withTokenOptions(withPoolOptions(withAudience(gcp.command("token"))))
    .description("Print a JWT-SVID as Google's libraries take it from an executable.")
    .addHelpText("after", example("token"))
    .action(async (options: PoolOptions & TokenOptions) => {
      checkPool(options);
      const audience = options.audience ?? audienceOf(options);
      const fetched = fetchToken(io, options, audience, clock.now());
      const { token, expiresAt } = await fetched.catch((err: unknown) => {
        // The libraries read why from standard output.
        const failure = {
          version: 1,
          success: false,
          code: "NO_TOKEN",
          message: describeError(err),
        };
        io.write(`${JSON.stringify(failure)}\n`);
        throw err;
      });
      const output = {
        version: 1,
        success: true,
        token_type: JWT_TOKEN_TYPE,
        id_token: token,
        expiration_time: Math.floor(expiresAt.getTime() / 1000),
      };
      io.write(`${JSON.stringify(output)}\n`);
    });

  withAccountOption(withTokenOptions(withPoolOptions(withAudience(gcp.command("credentials")))))
    .description("Exchange a JWT-SVID for an access token.")
    .option(
      "--scope <scopes>",
      "with blanks between",
      "https://www.googleapis.com/auth/cloud-platform",
    )
    .option("--sts-url <url>", "the token service", GOOGLE_STS)
    .option("--iam-url <url>", "where tokens of service accounts are made", GOOGLE_IAM)
    .addHelpText("after", example("credentials"))
    .action(async (options: CredentialsOptions) => {
      checkPool(options);
      const { scope, serviceAccount: account, stsUrl, iamUrl } = options;
      const audience = options.audience ?? audienceOf(options);
      const now = clock.now();
      const { token } = await fetchToken(io, options, audience, now);
      const provider = providerName(options);
      const exchange = { provider, token, scope, endpoint: stsUrl };
      const federated = await exchangeToken(exchange, now, io.signal);
      const { accessToken, expiresAt } =
        account === undefined
          ? federated
          : await impersonate({ account, scope, endpoint: iamUrl }, federated, io.signal);
      const output = { access_token: accessToken, token_type: "Bearer", expires_at: expiresAt };
      io.write(`${JSON.stringify(output)}\n`);
    });
}

function withPoolOptions(command: Command): Command {
  return command
    .requiredOption("--project <number>", "number of the project")
    .requiredOption("--pool <id>", "the workload identity pool")
    .requiredOption("--provider <id>", "the provider in the pool");
}

function withAudience(command: Command): Command {
  return command.option(
    "--audience <audience>",
    "audience of the token; the provider's own name unless given",
  );
}

function withAccountOption(command: Command): Command {
  return command.option("--service-account <email>", "act as this service account");
}

function checkPool({ project, pool, provider, serviceAccount }: AccountOptions): void {
  if (!/^\d{1,20}$/.test(project)) throw usageError("--project: expected its number, not its ID");
  if (!/^[a-z0-9-]{4,32}$/.test(pool)) throw usageError("--pool: expected 4 to 32 of a-z 0-9 -");
  if (!/^[a-z0-9-]{4,32}$/.test(provider)) {
    throw usageError("--provider: expected 4 to 32 of a-z 0-9 -");
  }
  if (serviceAccount !== undefined && !/^[a-z0-9.-]+@[a-z0-9.-]+$/.test(serviceAccount)) {
    throw usageError(
      "--service-account: expected an address such as NAME@PROJECT.iam.gserviceaccount.com",
    );
  }
}

/** The provider as Google's token service wants it. */
function providerName({ project, pool, provider }: PoolOptions): string {
  return `//iam.googleapis.com/projects/${project}/locations/global/workloadIdentityPools/${pool}/providers/${provider}`;
}

/** The audience that a provider takes when none is configured. */
function audienceOf(options: PoolOptions): string {
  return `https:${providerName(options)}`;
}

function configOf(options: AccountOptions & { command: string }): object {
  const { command, project, pool, provider, audience, serviceAccount } = options;
  const asked = audience === undefined ? "" : ` --audience ${audience}`;
  const args = `cloud gcp token --project ${project} --pool ${pool} --provider ${provider}${asked}`;
  return {
    type: "external_account",
    universe_domain: "googleapis.com",
    audience: providerName(options),
    subject_token_type: JWT_TOKEN_TYPE,
    token_url: GOOGLE_STS,
    ...(serviceAccount === undefined
      ? {}
      : {
          service_account_impersonation_url: `${GOOGLE_IAM}/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`,
        }),
    credential_source: { executable: { command: `${command} ${args}`, timeout_millis: 10_000 } },
  };
}

function example(rest: string): string {
  return `\nExample:\n  assay cloud gcp ${rest} --project 123456789 --pool assay --provider example-org`;
}
