/** `assay completion bash|zsh|fish`: prints a script that completes commands and options. */
import { Argument, type Command } from "commander";
import type { CliIo } from "./cli-io.ts";

const shells = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Words that may follow a sequence of commands. */
interface Node {
  readonly path: string;
  readonly words: readonly string[];
}

/** Adds the command; call it after every other command was added. */
export function addCompletionCommand(program: Command, io: CliIo): void {
  program
    .command("completion")
    .description("Print a completion script for a shell.")
    .addArgument(new Argument("<shell>").choices(Object.keys(shells)))
    .addHelpText("after", "\nExample:\n  source <(assay completion bash)")
    .action((shell: keyof typeof shells) => io.write(shells[shell](nodesOf(program, ""))));
}

function nodesOf(command: Command, path: string): Node[] {
  const options = command.options.flatMap((option) => (option.long ? [option.long] : []));
  const words = [...command.commands.map((child) => child.name()), ...options, "--help"];
  const children = command.commands.flatMap((child) =>
    nodesOf(child, path === "" ? child.name() : `${path} ${child.name()}`),
  );
  return [{ path, words }, ...children];
}

function cases(nodes: readonly Node[]): string {
  return nodes.map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`).join("\n");
}

function bashScript(nodes: readonly Node[]): string {
  return `_assay() {
  local words="" path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases(nodes)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _assay assay
`;
}

function zshScript(nodes: readonly Node[]): string {
  return `#compdef assay
autoload -U +X bashcompinit && bashcompinit
${bashScript(nodes)}`;
}

function fishScript(nodes: readonly Node[]): string {
  return nodes
    .map(({ path, words }) => {
      const before = path === "" ? "assay" : `assay ${path}`;
      const condition = `test (string join ' ' (string match -v -- '-*' (commandline -opc))) = '${before}'`;
      return `complete -c assay -n "${condition}" -a '${words.join(" ")}'\n`;
    })
    .join("");
}
