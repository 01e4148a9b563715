/** `assay x509 mint`, `assay jwt mint` and `assay wit mint`: credentials without an entry, for the role minter only. */

import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { Bundle as BundleService } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { collect } from "../../runtime/cli/options.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";
import { idText, parseIdOption, parseSecondsOption, timeOf } from "./wire-text.ts";

interface MintX509Options extends ServerOptions {
  readonly spiffeId: string;
  readonly dnsName?: string[];
  readonly ttl?: string;
  readonly write?: string;
}

interface MintWitOptions extends ServerOptions {
  readonly spiffeId: string;
  readonly ttl?: string;
}

interface MintJwtOptions extends ServerOptions {
  readonly spiffeId: string;
  readonly audience: string[];
  readonly ttl?: string;
}

export function addX509MintCommand(x509: Command, io: CliIo): void {
  withServerOptions(x509.command("mint"))
    .description("Mint an X509-SVID. The private key is made here and never leaves.")
    .requiredOption("--spiffe-id <id>", "the identity")
    .option("--dns-name <name>", "may be repeated", collect)
    .option("--ttl <duration>", "how long it is valid; the server's default otherwise")
    .option("--write <dir>", "write svid.pem, key.pem and bundle.pem instead of printing")
    .addHelpText(
      "after",
      "\nExample:\n  assay x509 mint --spiffe-id spiffe://example.org/batch --ttl 1h --write /run/batch",
    )
    .action((options: MintX509Options) =>
      runWithServer(io, options, async (session) => {
        parseIdOption("--spiffe-id", options.spiffeId);
        const { privateKey } = generateKeyPairSync("ec", {
          namedCurve: "P-256",
          publicKeyEncoding: { type: "spki", format: "der" },
          privateKeyEncoding: { type: "pkcs8", format: "der" },
        });
        const csr = createCsr({
          privateKey: createPrivateKey({ key: privateKey, type: "pkcs8", format: "der" }),
          spiffeId: SpiffeId.parse(options.spiffeId),
          dnsNames: options.dnsName ?? [],
        });
        const ttl = options.ttl === undefined ? 0 : parseSecondsOption("--ttl", options.ttl);
        const { svid } = await session.client(SVID).mintX509SVID({ csr, ttl }, session.call);
        const bundle = await session.client(BundleService).getBundle({}, session.call);
        const files = {
          "svid.pem": (svid?.certChain ?? []).map((der) => formatPem("CERTIFICATE", der)).join(""),
          "key.pem": formatPem("PRIVATE KEY", privateKey),
          "bundle.pem": bundle.x509Authorities
            .map(({ asn1 }) => formatPem("CERTIFICATE", asn1))
            .join(""),
        };
        if (options.write === undefined) {
          session.printOne({
            spiffe_id: idText(svid?.id),
            expires_at: timeOf(svid?.expiresAt ?? 0n),
            svid_pem: files["svid.pem"],
            key_pem: files["key.pem"],
            bundle_pem: files["bundle.pem"],
          });
          return;
        }
        await mkdir(options.write, { recursive: true, mode: 0o700 });
        for (const [name, text] of Object.entries(files)) {
          const mode = name === "key.pem" ? 0o600 : 0o644;
          await writeFile(join(options.write, name), text, { mode });
        }
        io.writeError(`wrote ${Object.keys(files).join(", ")} to ${options.write}\n`);
      }),
    );
}

export function addJwtMintCommand(jwt: Command, io: CliIo): void {
  withServerOptions(jwt.command("mint"))
    .description("Mint a JWT-SVID.")
    .requiredOption("--spiffe-id <id>", "the identity")
    .requiredOption("--audience <audience>", "who it is for; may be repeated", collect)
    .option("--ttl <duration>", "how long it is valid; the server's default otherwise")
    .addHelpText(
      "after",
      "\nExample:\n  assay jwt mint --spiffe-id spiffe://example.org/batch --audience https://api.example.org",
    )
    .action((options: MintJwtOptions) =>
      runWithServer(io, options, async (session) => {
        const { svid } = await session.client(SVID).mintJWTSVID(
          {
            id: parseIdOption("--spiffe-id", options.spiffeId),
            audience: options.audience,
            ttl: options.ttl === undefined ? 0 : parseSecondsOption("--ttl", options.ttl),
          },
          session.call,
        );
        session.printOne({
          token: svid?.token,
          spiffe_id: idText(svid?.id),
          expires_at: timeOf(svid?.expiresAt ?? 0n),
        });
      }),
    );
}

export function addWitMintCommand(wit: Command, io: CliIo): void {
  withServerOptions(wit.command("mint"))
    .description("Mint a WIT-SVID (experimental). The private key is made here and never leaves.")
    .requiredOption("--spiffe-id <id>", "the identity")
    .option("--ttl <duration>", "how long it is valid; the server's default otherwise")
    .addHelpText(
      "after",
      "\nExample:\n  assay wit mint --spiffe-id spiffe://example.org/batch --output json",
    )
    .action((options: MintWitOptions) =>
      runWithServer(io, options, async (session) => {
        const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        const { svid } = await session.client(SVID).mintWITSVID(
          {
            id: parseIdOption("--spiffe-id", options.spiffeId),
            publicKey: publicKey.export({ type: "spki", format: "der" }),
            signingAlgorithm: "ES256",
            ttl: options.ttl === undefined ? 0 : parseSecondsOption("--ttl", options.ttl),
          },
          session.call,
        );
        session.printOne({
          token: svid?.token,
          key_jwk: JSON.stringify({ ...privateKey.export({ format: "jwk" }), alg: "ES256" }),
          spiffe_id: idText(svid?.id),
          expires_at: timeOf(svid?.expiresAt ?? 0n),
        });
      }),
    );
}
