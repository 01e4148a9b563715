import type { Argument, Command, Option } from "commander";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { block, code, GENERATED, prose, table } from "./markdown.ts";

/** Options that commands have in common; described once. The first one tells which commands these are. */
const SHARED = [
  {
    title: "Options for a server",
    text: "Of every command that talks to a server. Without `--server`, the kernel tells the server who calls.",
    flags: ["--socket", "--server", "--timeout", "--output"],
  },
  {
    title: "Options for the Workload API",
    text: "Of every command that calls the Workload API as a workload does.",
    flags: ["--endpoint", "--timeout", "--output"],
  },
  {
    title: "Options for this machine's agent",
    text: "Of every command that asks the agent on this machine. Its admin socket is for root by default.",
    flags: ["--agent-socket", "--output"],
  },
] as const;

const EXIT_CODES: Readonly<Record<keyof typeof ExitCode, string>> = {
  ok: "done",
  failed: "failed, for a reason without a code of its own",
  usage: "the command line, a file or a value is wrong; nothing was done",
  notFound: "not found",
  refused: "the caller may not do this, or it is not known who the caller is",
  unavailable: "the other side is away, busy, or did not answer in time; trying again may help",
  conflict: "what is there already stands in the way",
  partial: "of several items some were done and some were not; each is reported",
};

const INTRODUCTION = `# Commands

One command, \`assay\`. \`assay COMMAND --help\` shows the same as this page. Results go to standard output, everything else to
standard error. The field names of \`--output json\` are a contract: they are in snake_case and stay.

## Exit codes

${table(
  ["code", "meaning"],
  Object.entries(ExitCode).map(([name, exitCode]) => [
    String(exitCode),
    EXIT_CODES[name as keyof typeof ExitCode],
  ]),
)}`;

/** docs/cli.md, from the whole program. */
export function commandsPage(program: Command): string {
  const groups = program.commands.filter((command) => command.name() !== "help");
  return [
    GENERATED,
    INTRODUCTION,
    ...SHARED.map((shared) => sharedPart(shared, program)),
    ...groups.map(groupPart),
  ].join("\n");
}

function sharedPart({ title, text, flags }: (typeof SHARED)[number], program: Command): string {
  const holder = leaves(program).find((command) => hasAll(command, flags));
  if (holder === undefined) throw new Error(`no command has ${flags.join(", ")}`);
  const options = holder.options.filter(({ long }) => flags.some((flag) => flag === long));
  return `## ${title}\n\n${text}\n\n${optionTable(options)}`;
}

function groupPart(group: Command): string {
  const title = `## assay ${group.name()}\n`;
  if (group.commands.length === 0) return `${title}\n${body(group)}`;
  const parts = group.commands.map((command) => {
    const name = `assay ${group.name()} ${command.name()}`;
    return `### ${name}\n\n${body(command)}`;
  });
  return [title, `${prose(group.description())}\n`, ...parts].join("\n");
}

function body(command: Command): string {
  const shared = SHARED.find(({ flags }) => hasAll(command, flags));
  const own = command.options.filter(({ long }) => !shared?.flags.some((flag) => flag === long));
  const see = shared === undefined ? "" : `\nAnd the ${linkTo(shared.title)}.\n`;
  return [
    `${prose(command.description())}\n\n`,
    block("", `${fullName(command)} ${command.usage()}\n\n${exampleOf(command)}`),
    ...(command.registeredArguments.some(isDescribed)
      ? ["\n", argumentTable(command.registeredArguments)]
      : []),
    ...(own.length === 0 ? [] : ["\n", optionTable(own)]),
    see,
  ].join("");
}

/** A link to a section by its title, as a part of a sentence. */
function linkTo(title: string): string {
  const anchor = title.toLowerCase().replaceAll(" ", "-").replaceAll("'", "");
  return `[${title.slice(0, 1).toLowerCase()}${title.slice(1)}](#${anchor})`;
}

/** What `addHelpText("after", ...)` added: the examples. */
function exampleOf(command: Command): string {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  const added = help.slice(command.helpInformation().length);
  return added
    .replace(/^\s*Examples?:\n/, "")
    .replace(/^ {2}/gm, "")
    .trim();
}

function argumentTable(args: readonly Argument[]): string {
  return table(
    ["argument", "meaning"],
    args
      .filter(isDescribed)
      .map((argument) => [
        code(argument.name()),
        [prose(argument.description), choices(argument.argChoices)].filter(Boolean).join("; "),
      ]),
  );
}

function isDescribed(argument: Argument): boolean {
  return argument.description !== "" || argument.argChoices !== undefined;
}

function optionTable(options: readonly Option[]): string {
  const columns = [
    { name: "option", of: ({ flags }: Option) => code(flags) },
    { name: "default", of: defaultOf },
    { name: "environment", of: ({ envVar }: Option) => (envVar === undefined ? "" : code(envVar)) },
    {
      name: "meaning",
      of: ({ description, argChoices }: Option) =>
        [prose(description), choices(argChoices)].filter(Boolean).join("; "),
    },
  ];
  const filled = columns.filter(({ of }) => options.some((option) => of(option) !== ""));
  return table(
    filled.map(({ name }) => name),
    options.map((option) => filled.map(({ of }) => of(option))),
  );
}

function defaultOf({ defaultValue, mandatory, negate }: Option): string {
  if (mandatory) return "required";
  return defaultValue === undefined || negate ? "" : code(String(defaultValue));
}

function choices(values: readonly string[] | undefined): string {
  return values === undefined ? "" : `one of ${values.map(code).join(", ")}`;
}

function fullName(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${fullName(parent)} ${command.name()}`;
}

function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function hasAll(command: Command, flags: readonly string[]): boolean {
  return flags.every((flag) => command.options.some(({ long }) => long === flag));
}
