/** A part of a template. */
export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with";
      readonly pipeline: Pipeline;
      readonly then: readonly Part[];
      readonly otherwise: readonly Part[];
    };

/** Commands of which each gets the value of the one before as its last argument. */
export interface Pipeline {
  readonly commands: readonly Command[];
}

/** A call with its arguments, or a single value. */
export interface Command {
  readonly first: Operand;
  readonly rest: readonly Operand[];
  readonly offset: number;
}

export type Operand = { readonly offset: number } & (
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | { readonly kind: "path"; readonly root: boolean; readonly path: readonly string[] }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline }
);

/** Every path that a template reads from the whole of its data, wherever it stands. */
export function* rootPaths(parts: readonly Part[], isInsideWith = false): Generator<RootPath> {
  for (const part of parts) {
    if (part.kind === "text") continue;
    yield* pathsOf(part.pipeline, isInsideWith);
    if (part.kind === "print") continue;
    yield* rootPaths(part.then, isInsideWith || part.kind === "with");
    yield* rootPaths(part.otherwise, isInsideWith);
  }
}

/** Names from the data down to a field. */
export interface RootPath {
  readonly path: readonly string[];
  readonly offset: number;
}

function* pathsOf({ commands }: Pipeline, isInsideWith: boolean): Generator<RootPath> {
  for (const { first, rest } of commands) {
    for (const operand of [first, ...rest]) {
      if (operand.kind === "pipeline") yield* pathsOf(operand.pipeline, isInsideWith);
      if (operand.kind === "path" && (operand.root || !isInsideWith)) yield operand;
    }
  }
}
