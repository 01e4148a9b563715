import { readFile } from "node:fs/promises";
import { agentConfigSchema } from "../../agent/config/agent-config.ts";
import { csiConfigSchema } from "../../agent/config/csi-config.ts";
import { filesConfigSchema } from "../../agent/config/files-config.ts";
import { describeSchema, type SettingRow } from "../../runtime/config/describe-schema.ts";
import { oidcConfigSchema } from "../../server/config/oidc-settings.ts";
import { registrarConfigSchema } from "../../server/config/registrar-config.ts";
import { serverConfigSchema } from "../../server/config/server-config.ts";
import { block, code, GENERATED, prose, table } from "./markdown.ts";

/** A configuration file, with the example of it that is installed beside the systemd units. */
export interface ConfigFile {
  readonly title: string;
  readonly place: string;
  readonly schema:
    | typeof serverConfigSchema
    | typeof agentConfigSchema
    | typeof csiConfigSchema
    | typeof filesConfigSchema
    | typeof oidcConfigSchema
    | typeof registrarConfigSchema;
  readonly example: URL;
}

const examples = new URL("../systemd/", import.meta.url);

/** The configuration files there are. */
export const CONFIG_FILES: readonly ConfigFile[] = [
  {
    title: "Server",
    place: "/etc/assay/server.yaml",
    schema: serverConfigSchema,
    example: new URL("server.yaml", examples),
  },
  {
    title: "Agent",
    place: "/etc/assay/agent.yaml",
    schema: agentConfigSchema,
    example: new URL("agent.yaml", examples),
  },
  {
    title: "CSI driver",
    place: "/etc/assay/csi.yaml",
    schema: csiConfigSchema,
    example: new URL("../csi/csi.yaml", import.meta.url),
  },
  {
    title: "Registrar",
    place: "/etc/assay/registrar.yaml",
    schema: registrarConfigSchema,
    example: new URL("../registrar/registrar.yaml", import.meta.url),
  },
  {
    title: "Files",
    place: "/etc/assay/files.yaml",
    schema: filesConfigSchema,
    example: new URL("../files/files.yaml", import.meta.url),
  },
  {
    title: "OIDC provider",
    place: "/etc/assay/oidc.yaml",
    schema: oidcConfigSchema,
    example: new URL("../oidc/oidc.yaml", import.meta.url),
  },
];

const INTRODUCTION = `# Configuration

Server and agent read one YAML file each, by default \`/etc/assay/server.yaml\` and \`/etc/assay/agent.yaml\`. An unknown key is an
error, and all problems are reported at once: \`assay server validate\`, \`assay agent validate\`.

- A **duration** is whole numbers with units, larger units first: \`90s\`, \`1h30m\`, \`7d\`, \`800ms\`.
- A **size** is a whole number with a unit: \`64KiB\`, \`4MiB\`, \`100MB\`.
- \`[]\` in a key stands for each member of a list.
- Permission bits are text in quotes: \`"0660"\`.

Secrets stay out of these files; they name the files that hold them. The one exception is \`nodeAttestor.join_token.token\`, for
trying things out.
`;

/** docs/configuration.md */
export async function configurationPage(): Promise<string> {
  const parts = await Promise.all(CONFIG_FILES.map(partOf));
  return [GENERATED, INTRODUCTION, ...parts].join("\n");
}

async function partOf({ title, place, schema, example }: ConfigFile): Promise<string> {
  const rows = describeSchema(schema);
  const plain = rows.filter((row) => !isBelow(row.path) && !hasChildren(rows, row.path));
  const maps = rows.filter((row) => !isBelow(row.path) && hasChildren(rows, row.path));
  return [
    `## ${title}\n`,
    `A minimal ${code(place)}:\n`,
    block("yaml", await readFile(example, "utf8")),
    settings(plain),
    ...maps.map((map) => section(map, rows)),
  ].join("\n");
}

function section(map: SettingRow, rows: readonly SettingRow[]): string {
  const below = rows.filter(({ path }) => path.startsWith(`${map.path}.`) || isMember(map, path));
  const required = map.required ? " Required." : "";
  const defaultText = map.defaultText === undefined ? "" : ` Without it: ${code(map.defaultText)}.`;
  return [
    `### ${code(map.path)}\n`,
    `${prose(map.description ?? "")}${required}${defaultText}\n`,
    settings(below),
  ].join("\n");
}

function settings(rows: readonly SettingRow[]): string {
  return table(
    ["key", "type", "default", "meaning"],
    rows.map(({ path, type, when, ...row }) => [
      code(path),
      prose(type),
      row.defaultText === undefined ? (row.required ? "required" : "") : code(row.defaultText),
      `${when === undefined ? "" : `With ${code(when)}: `}${prose(row.description ?? "")}`,
    ]),
  );
}

function isBelow(path: string): boolean {
  return path.includes(".");
}

function isMember(map: SettingRow, path: string): boolean {
  return path.startsWith(`${map.path}[]`);
}

function hasChildren(rows: readonly SettingRow[], path: string): boolean {
  return rows.some((row) => row.path.startsWith(`${path}.`) || row.path.startsWith(`${path}[]`));
}
