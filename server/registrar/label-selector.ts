import * as z from "zod";

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

type Requirement =
  | { readonly key: string; readonly operator: "In" | "NotIn"; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: "Exists" | "DoesNotExist" };

/** A label selector of the Kubernetes API: all of its parts must hold. One without parts selects everything. Immutable. */
export class LabelSelector {
  readonly #requirements: readonly Requirement[];

  constructor(requirements: readonly Requirement[]) {
    this.#requirements = requirements;
  }

  matches(labels: Labels): boolean {
    return this.#requirements.every((requirement) => isMet(requirement, labels));
  }

  /** The labels that the selector looks at. */
  get keys(): readonly string[] {
    return [...new Set(this.#requirements.map(({ key }) => key))];
  }
}

/** Selects everything, as a selector that is left out does. */
export const EVERYTHING: LabelSelector = new LabelSelector([]);

// As in Kubernetes: a label that is not there is not in any set, so NotIn holds for it.
function isMet(requirement: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

const NAME = "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?";
const KEY = new RegExp(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?${NAME}$`);
const VALUE = new RegExp(`^(${NAME})?$`);
const MAX_REQUIREMENTS = 64;
const MAX_VALUES = 256;

const key = z.string().regex(KEY, 'expected a label key such as "app.kubernetes.io/name"');
const value = z.string().regex(VALUE, "expected a label value: at most 63 letters, digits, . _ -");
const values = z.array(value).min(1).max(MAX_VALUES);

/** A LabelSelector as it stands in a resource. */
export const labelSelectorSchema: z.ZodType<LabelSelector> = z
  .strictObject({
    matchLabels: z.record(key, value).default({}),
    matchExpressions: z
      .array(
        z.discriminatedUnion("operator", [
          z.strictObject({ key, operator: z.enum(["In", "NotIn"]), values }),
          z.strictObject({
            key,
            operator: z.enum(["Exists", "DoesNotExist"]),
            values: z.array(value).max(0, "expected no values beside this operator").optional(),
          }),
        ]),
      )
      .max(MAX_REQUIREMENTS)
      .default([]),
  })
  .transform(
    ({ matchLabels, matchExpressions }) =>
      new LabelSelector([
        ...Object.entries(matchLabels).map(
          ([key, value]): Requirement => ({ key, operator: "In", values: [value] }),
        ),
        ...matchExpressions,
      ]),
  );
