/** `assay bundle show|list|set|delete`: the trust domain's bundle and the bundles of others. */
import { type Command, Option } from "commander";
import { decodeBundle } from "../../proto/convert/bundle.ts";
import {
  Bundle as BundleService,
  BatchDeleteFederatedBundleRequest_Mode as DeleteMode,
} from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, exitCodeOfStatus } from "../../runtime/cli/exit-code.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { type BundleFormat, readBundleFile } from "./bundle-file.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";

interface FormatOptions extends ServerOptions {
  readonly format: BundleFormat;
}

const modes = {
  restrict: DeleteMode.RESTRICT,
  delete: DeleteMode.DELETE,
  dissociate: DeleteMode.DISSOCIATE,
} as const;

export function addBundleCommands(program: Command, io: CliIo): void {
  const bundle = program.command("bundle").description("Trust bundles.");

  withFormat(withServerOptions(bundle.command("show")))
    .description("Print a bundle: the server's own, or a federated one.")
    .argument("[trust domain]")
    .addHelpText("after", "\nExample:\n  assay bundle show --format spiffe > bundle.json")
    .action((trustDomain: string | undefined, options: FormatOptions) =>
      runWithServer(io, options, async (session) => {
        const client = session.client(BundleService);
        const found =
          trustDomain === undefined
            ? await client.getBundle({}, session.call)
            : await client.getFederatedBundle({ trustDomain }, session.call);
        io.write(formatBundle(found, options.format));
      }),
    );

  withServerOptions(bundle.command("list"))
    .description("List federated bundles.")
    .addHelpText("after", "\nExample:\n  assay bundle list")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const rows = await Array.fromAsync(listBundles(session), (each) => ({
          trust_domain: each.trustDomain,
          x509_authorities: each.x509Authorities.length,
          jwt_authorities: each.jwtAuthorities.length,
          sequence_number: each.sequenceNumber,
          refresh_hint: each.refreshHint,
        }));
        session.printRows(rows, Object.keys(rows[0] ?? { trust_domain: "" }));
      }),
    );

  withFormat(withServerOptions(bundle.command("set")))
    .description("Create or replace the bundle of another trust domain.")
    .argument("<trust domain>")
    .option("--file <path>", "the bundle; - is standard input", "-")
    .addHelpText(
      "after",
      "\nExample:\n  assay bundle set other.example --format spiffe --file other.json",
    )
    .action((name: string, options: FormatOptions & { file: string }) =>
      runWithServer(io, options, async (session) => {
        const bundle = await readBundleFile(io, name, options.file, options.format);
        const { results } = await session
          .client(BundleService)
          .batchSetFederatedBundle({ bundle: [bundle] }, session.call);
        failUnlessOk(results[0]?.status);
        io.writeError(`set the bundle of ${name}\n`);
      }),
    );

  withServerOptions(bundle.command("delete"))
    .description("Delete the bundle of another trust domain.")
    .argument("<trust domain>")
    .addOption(
      new Option("--mode <mode>", "what happens to entries that federate with it")
        .choices(Object.keys(modes))
        .default("restrict"),
    )
    .addHelpText("after", "\nExample:\n  assay bundle delete other.example --mode dissociate")
    .action((name: string, options: ServerOptions & { mode: keyof typeof modes }) =>
      runWithServer(io, options, async (session) => {
        const { results } = await session
          .client(BundleService)
          .batchDeleteFederatedBundle(
            { trustDomains: [name], mode: modes[options.mode] },
            session.call,
          );
        failUnlessOk(results[0]?.status);
        io.writeError(`deleted the bundle of ${name}\n`);
      }),
    );
}

function withFormat(command: Command): Command {
  return command.addOption(
    new Option("--format <format>", "PEM certificates, or a SPIFFE bundle document")
      .choices(["pem", "spiffe"])
      .default("pem"),
  );
}

async function* listBundles(session: ServerSession): AsyncGenerator<WireBundle> {
  let pageToken = "";
  do {
    const page = await session
      .client(BundleService)
      .listFederatedBundles({ pageSize: 200, pageToken }, session.call);
    yield* page.bundles;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function formatBundle(wire: WireBundle, format: BundleFormat): string {
  return format === "spiffe"
    ? formatBundleDocument(decodeBundle("bundle", wire))
    : wire.x509Authorities.map(({ asn1 }) => formatPem("CERTIFICATE", asn1)).join("");
}

function failUnlessOk(status: { code: number; message: string } | undefined): void {
  if (!status?.code) return;
  throw new CliError(status.message, { exitCode: exitCodeOfStatus(status.code) });
}
