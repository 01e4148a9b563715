/** `assay x509 fetch|watch`: the X509-SVIDs that a workload would get here. */
import { mkdir, stat } from "node:fs/promises";
import type { Command } from "commander";
import type { X509SVIDResponse } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { formatRows, type Row } from "../../runtime/cli/output.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type FileContent, FileSet } from "../../spiffe/files/file-set.ts";
import type { PemPart } from "../../spiffe/files/file-spec.ts";
import { watch } from "../../spiffe/workloadapi/watch.ts";
import { parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import { formatCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import {
  firstMessage,
  runWithWorkloadApi,
  type WorkloadOptions,
  withWorkloadOptions,
} from "./workload-client.ts";

const columns = ["spiffe_id", "serial_number", "not_after", "hint"];

interface X509CommandDeps {
  readonly clock: Clock;
  readonly random: Random;
}

export function addX509WorkloadCommands(
  x509: Command,
  io: CliIo,
  { clock, random }: X509CommandDeps,
): void {
  withWorkloadOptions(x509.command("fetch"))
    .description("Fetch the X509-SVIDs of the calling process.")
    .option("--write <dir>", "write svid.N.pem, svid.N.key and bundle.N.pem there")
    .option("--silent", "print nothing but errors")
    .addHelpText("after", "\nExample:\n  assay x509 fetch --write /run/my-service")
    .action((options: WorkloadOptions & { write?: string; silent?: boolean }) =>
      runWithWorkloadApi(io, options, async ({ client, call }) => {
        const startMs = clock.monotonicMs();
        const response = await firstMessage(client.fetchX509SVID({}, call));
        const tookMs = Math.round(clock.monotonicMs() - startMs);
        if (!options.silent) io.write(formatRows(rowsOf(response), columns, options.output));
        if (options.write) await writeSvids(response, options.write, random);
        if (!options.silent) {
          io.writeError(`received ${response.svids.length} SVIDs after ${tookMs} ms\n`);
        }
      }),
    );

  withWorkloadOptions(x509.command("watch"))
    .description("Print the X509-SVIDs of the calling process at each change, until interrupted.")
    .addHelpText("after", "\nExample:\n  assay x509 watch --output json")
    .action((options: WorkloadOptions) =>
      runWithWorkloadApi(io, options, ({ client, call: { metadata = {} } }) => {
        const tell = (what: string): void =>
          io.writeError(`${clock.now().toISOString()} ${what}\n`);
        return watch(
          {
            open: (signal) => client.fetchX509SVID({}, { signal, metadata }),
            read: rowsOf,
            onUpdate: (rows) => {
              tell(`received ${rows.length} SVIDs`);
              io.write(formatRows(rows, columns, options.output));
            },
            onWithdrawn: () => tell("no identity (any more)"),
            onProblem: (err) => tell(`${err.message}; trying again`),
          },
          { clock, random },
          io.signal,
        );
      }),
    );
}

function rowsOf(response: X509SVIDResponse): Row[] {
  return response.svids.map((svid) => {
    const [leaf] = parseConcatenatedCertificates(svid.x509Svid);
    return {
      spiffe_id: svid.spiffeId,
      serial_number: leaf?.serialNumberHex,
      not_before: leaf?.notBefore,
      not_after: leaf?.notAfter,
      dns_names: leaf?.dnsSans,
      hint: svid.hint,
      federated_bundles: Object.keys(response.federatedBundles),
    };
  });
}

async function writeSvids(response: X509SVIDResponse, path: string, random: Random): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const contents = response.svids.flatMap((svid, index) => {
    const file = (name: string, part: PemPart, text: string, mode: number): FileContent => ({
      file: { type: "pem", name, holds: [part], mode },
      content: Buffer.from(text),
    });
    return [
      file(`svid.${index}.pem`, "chain", pemOf(svid.x509Svid), 0o644),
      file(`svid.${index}.key`, "key", formatPem("PRIVATE KEY", svid.x509SvidKey), 0o600),
      file(`bundle.${index}.pem`, "bundle", pemOf(svid.bundle), 0o644),
    ];
  });
  // Whoever asks for a folder by hand may mean somebody else's.
  const { uid } = await stat(path);
  await new FileSet({ path, layout: "plain", uid, random }).write(contents);
}

function pemOf(certificates: Uint8Array): string {
  return formatCertificatesPem(parseConcatenatedCertificates(certificates));
}
