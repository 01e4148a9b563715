/** `assay oidc run|validate`: OIDC discovery from the Workload API. */
import type { Command } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";

const DEFAULT_CONFIG = "/etc/assay/oidc.yaml";

export function addOidcCommands(program: Command, io: CliIo): void {
  const oidc = program.command("oidc");

  oidc
    .command("run")
    .description("Serve OIDC discovery for trust domains, with the keys from the Workload API.")
    .option("-c, --config <file>", "configuration file", DEFAULT_CONFIG)
    .addHelpText("after", "\nExample:\n  assay oidc run -c oidc.yaml")
    .action(async ({ config }: { config: string }) => {
      const { loadOidcConfig } = await import("../config/oidc-settings.ts");
      const { runOidc } = await import("../oidc/run-oidc.ts");
      await runOidc(await loadOidcConfig(config), io.signal);
    });

  oidc
    .command("validate")
    .description("Check a configuration file, and say everything that is wrong with it.")
    .option("-c, --config <file>", "configuration file", DEFAULT_CONFIG)
    .addHelpText("after", "\nExample:\n  assay oidc validate -c oidc.yaml")
    .action(async ({ config }: { config: string }) => {
      const { loadOidcConfig } = await import("../config/oidc-settings.ts");
      await loadOidcConfig(config);
      io.write(`${config}: valid\n`);
    });
}
