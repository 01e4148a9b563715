import type { Command } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";

const DEFAULT_CONFIG = "/etc/assay/csi.yaml";

/** Adds `assay csi run` and `assay csi validate`. */
export function addCsiCommands(program: Command, io: CliIo): void {
  const csi = program.command("csi");
  csi
    .command("run")
    .description("Hold the workload socket of this node, and mount it into pods (CSI driver).")
    .option("--config <file>", "configuration file", DEFAULT_CONFIG)
    .option("--driver-name <name>", "name of the driver, in place of driver.name")
    .addHelpText("after", "\nExample:\n  assay csi run --config csi.yaml")
    .action(async ({ config, driverName }: { config: string; driverName?: string }) => {
      // Loaded here, since the other commands of this group need nothing of it.
      const { loadCsiConfig } = await import("../config/csi-config.ts");
      const { runCsi } = await import("../csi/run-csi.ts");
      const settings = await loadCsiConfig(config, driverName);
      await runCsi({ config: settings, env: io.env, signal: io.signal });
    });
  csi
    .command("validate")
    .description("Check a configuration file, and say everything that is wrong with it.")
    .option("--config <file>", "configuration file", DEFAULT_CONFIG)
    .addHelpText("after", "\nExample:\n  assay csi validate --config csi.yaml")
    .action(async ({ config }: { config: string }) => {
      const { loadCsiConfig } = await import("../config/csi-config.ts");
      await loadCsiConfig(config);
      io.write(`${config}: valid\n`);
    });
}
