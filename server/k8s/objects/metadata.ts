import * as z from "zod";

/** Who an object belongs to. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  /** Whether it is the one that manages the object. */
  readonly controller: boolean;
}

/** What we keep of any object's metadata. */
export interface ObjectMetadata {
  readonly uid: string;
  readonly name: string;
  /** Absent for objects of the whole cluster. */
  readonly namespace?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Without those longer than {@link MAX_ANNOTATION}: people keep whole documents there. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences: readonly OwnerReference[];
  /** When it was asked to go. It may stay for as long as its finalizers, or its containers, take. */
  readonly deletionTimestamp?: Date | undefined;
}

/** Longest annotation that is kept. */
export const MAX_ANNOTATION: number = 2048;

const NONE: Readonly<Record<string, string>> = Object.freeze({});
const NO_OWNERS: readonly OwnerReference[] = Object.freeze([]);

/** A name of an object: a DNS subdomain, or what some kinds allow beyond that. */
export const nameSchema: z.ZodType<string> = z.string().min(1).max(253);

/** A UID: opaque by the API's rules, a UUID in practice. It becomes part of SPIFFE IDs, so its form is checked. */
export const uidSchema: z.ZodType<string> = z
  .string()
  .regex(/^[A-Za-z0-9][-A-Za-z0-9_.]{0,127}$/, "expected a UID");

const labelsSchema = z
  .record(z.string().max(317), z.string().max(63))
  .nullish()
  .transform((labels) => labels ?? NONE);

const annotationsSchema = z
  .record(z.string().max(317), z.string())
  .nullish()
  .transform((annotations) => {
    const kept = Object.entries(annotations ?? {}).filter(
      ([, { length }]) => length <= MAX_ANNOTATION,
    );
    return kept.length === 0 ? NONE : Object.fromEntries(kept);
  });

const ownersSchema = z
  .array(
    z.object({
      apiVersion: z.string().max(317),
      kind: z.string().max(63),
      name: nameSchema,
      uid: uidSchema,
      controller: z
        .boolean()
        .nullish()
        .transform((isController) => isController === true),
    }),
  )
  .nullish()
  .transform((owners) => owners ?? NO_OWNERS);

/** An instant as the API writes it. */
export const instantSchema: z.ZodType<Date> = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text));

/** See {@link ObjectMetadata}. */
export const metadataSchema: z.ZodType<ObjectMetadata> = z.object({
  uid: uidSchema,
  name: nameSchema,
  namespace: nameSchema.optional(),
  labels: labelsSchema,
  annotations: annotationsSchema,
  ownerReferences: ownersSchema,
  deletionTimestamp: instantSchema.optional(),
});

/** Makes a parser of a schema whose errors name the field and never quote the value. */
export function parserOf<T>(what: string, schema: z.ZodType<T>): (raw: unknown) => T {
  return (raw) => {
    const parsed = schema.safeParse(raw);
    if (parsed.success) return parsed.data;
    const { path = [], message = "malformed" } = parsed.error.issues[0] ?? {};
    throw new Error(`${what}: ${path.join(".")}: ${message}`);
  };
}
