/** What stands for a fact of the node's certificate in a template of an agent's path. */
export const PLACEHOLDER: RegExp = /\{([a-z]*)\}/g;

const NAMES: ReadonlySet<string> = new Set(["fingerprint", "serial", "cn", "path"]);

/** What is wrong with a template that can never give an ID; undefined if nothing is. */
export function judgePathTemplate(template: string): string | undefined {
  if (!template.startsWith("/")) return 'expected a path that starts with "/"';
  const placeholders = [...template.matchAll(PLACEHOLDER)];
  if (placeholders.length === 0) {
    return "expected a placeholder: two nodes must not get the same ID";
  }
  const unknown = placeholders.find(([, name = ""]) => !NAMES.has(name));
  return unknown === undefined ? undefined : `unknown placeholder ${JSON.stringify(unknown[0])}`;
}
