/** `assay cloud aws trust|credentials`. */
import { type Command, Option } from "commander";
import type { CliIo } from "../../../runtime/cli/cli-io.ts";
import { usageError } from "../../../runtime/cli/exit-code.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { assumeRole, sessionNameOf, stsEndpoint } from "./aws-sts.ts";
import { awsTrust } from "./trust.ts";
import { onlyOne, printTrust, type TrustOptions, withTrustOptions } from "./trust-command.ts";
import { fetchToken, type TokenOptions, withTokenOptions } from "./workload-token.ts";

const AUDIENCE = "sts.amazonaws.com";

interface CredentialsOptions extends TokenOptions {
  readonly roleArn: string;
  readonly region: string;
  readonly audience: string;
  readonly sessionName?: string;
  readonly duration?: string;
  readonly stsUrl?: string;
}

export function addAwsCommands(cloud: Command, io: CliIo, clock: Clock): void {
  const aws = cloud.command("aws").description("Amazon Web Services.");

  withTrustOptions(aws.command("trust"), AUDIENCE)
    .description("Print the trust policy of a role for an identity.")
    .requiredOption("--account <number>", "the account, 12 figures")
    .addOption(
      new Option("--partition <name>", "the partition")
        .choices(["aws", "aws-cn", "aws-us-gov"])
        .default("aws"),
    )
    .addHelpText(
      "after",
      "\nExample:\n  assay cloud aws trust --issuer https://oidc.example.org --account 123456789012 \\\n    --spiffe-id spiffe://example.org/backend > trust.json",
    )
    .action((options: TrustOptions & { account: string; partition: string }) => {
      if (!/^\d{12}$/.test(options.account)) throw usageError("--account: expected 12 figures");
      return printTrust(io, options, options, (requests) => awsTrust(onlyOne(requests), options));
    });

  withTokenOptions(aws.command("credentials"))
    .description(
      "Take a role with a JWT-SVID, and print credentials as credential_process of AWS wants them.",
    )
    .requiredOption("--role-arn <arn>", "the role")
    .addOption(
      new Option("--region <region>", "region of the token service")
        .env("AWS_REGION")
        .makeOptionMandatory(),
    )
    .option("--audience <audience>", "audience of the token", AUDIENCE)
    .option("--session-name <name>", "name of the session; made of the SPIFFE ID unless given")
    .option("--duration <seconds>", "life of the credentials, 900 to 43200; an hour unless given")
    .option("--sts-url <url>", "another endpoint of the token service, such as a private one")
    .addHelpText(
      "after",
      "\nExample:\n  assay cloud aws credentials --role-arn arn:aws:iam::123456789012:role/backend --region eu-west-1",
    )
    .action(async (options: CredentialsOptions) => {
      checkCredentialsOptions(options);
      const { roleArn, region, audience, duration, stsUrl } = options;
      const { token, id } = await fetchToken(io, options, audience, clock.now());
      const credentials = await assumeRole(
        {
          roleArn,
          sessionName: options.sessionName ?? sessionNameOf(id.toString()),
          token,
          ...(duration === undefined ? {} : { durationSeconds: Number(duration) }),
          endpoint: stsUrl ?? stsEndpoint(region),
        },
        io.signal,
      );
      const output = {
        Version: 1,
        AccessKeyId: credentials.accessKeyId,
        SecretAccessKey: credentials.secretAccessKey,
        SessionToken: credentials.sessionToken,
        Expiration: credentials.expiration.toISOString(),
      };
      io.write(`${JSON.stringify(output)}\n`);
    });
}

function checkCredentialsOptions(options: CredentialsOptions): void {
  const { roleArn, region, sessionName, duration } = options;
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/.test(roleArn)) {
    throw usageError("--role-arn: expected arn:aws:iam::ACCOUNT:role/NAME");
  }
  if (!/^[a-z0-9-]{1,32}$/.test(region)) throw usageError("--region: expected such as eu-west-1");
  if (sessionName !== undefined && !/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    throw usageError("--session-name: expected 2 to 64 letters, figures or +=,.@-");
  }
  const seconds = Number(duration ?? 3600);
  if (!(Number.isInteger(seconds) && seconds >= 900 && seconds <= 43_200)) {
    throw usageError("--duration: expected 900 to 43200 seconds");
  }
}
