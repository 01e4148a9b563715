/** `assay x509 fetch|watch`: the X509-SVIDs that a workload would get here. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import type { X509SVID, X509SVIDResponse } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { formatRows, type Row } from "../../runtime/cli/output.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { watch } from "../../spiffe/workloadapi/watch.ts";
import { parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import {
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
        for await (const response of client.fetchX509SVID({}, call)) {
          const tookMs = Math.round(clock.monotonicMs() - startMs);
          if (!options.silent) io.write(formatRows(rowsOf(response), columns, options.output));
          if (options.write) await writeSvids(response, options.write);
          if (!options.silent) {
            io.writeError(`received ${response.svids.length} SVIDs after ${tookMs} ms\n`);
          }
          return;
        }
        throw new CliError("the Workload API ended without an answer", {
          exitCode: ExitCode.unavailable,
        });
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

async function writeSvids(response: X509SVIDResponse, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const [index, svid] of response.svids.entries()) {
    const write = (name: string, text: string, mode: number): Promise<void> =>
      writeFile(join(dir, name), text, { mode });
    await write(`svid.${index}.pem`, pemOf(svid.x509Svid), 0o644);
    await write(`svid.${index}.key`, keyPemOf(svid), 0o600);
    await write(`bundle.${index}.pem`, pemOf(svid.bundle), 0o644);
  }
}

function pemOf(certificates: Uint8Array): string {
  return parseConcatenatedCertificates(certificates)
    .map(({ der }) => formatPem("CERTIFICATE", der))
    .join("");
}

function keyPemOf(svid: X509SVID): string {
  return formatPem("PRIVATE KEY", svid.x509SvidKey);
}
