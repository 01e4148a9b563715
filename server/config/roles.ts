import * as z from "zod";
import type { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { idPatternSchema } from "./id-pattern.ts";

/**
 * What a caller may be allowed to do, in words of the field. Nothing is allowed without a role, and no role contains another:
 *
 * - viewer: read entries, agents, bundles, authorities and settings
 * - auditor: read the audit log and verify it, and read what a viewer reads
 * - registrar: write entries, within the scope that comes with the role
 * - operator: run the system: agents, join tokens, federated bundles, log level, reload, backup
 * - federator: relationships with foreign trust domains
 * - minter: have SVIDs signed without an entry
 * - key-admin: authorities, and entries with the admin or downstream flag
 * - revoker: ban agents, taint and revoke authorities
 */
export const ROLES = [
  "viewer",
  "auditor",
  "registrar",
  "operator",
  "federator",
  "minter",
  "key-admin",
  "revoker",
] as const;

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

/** Which entries a registrar may write. A missing list does not restrict. */
export interface RegistrarScope {
  /** Patterns of which the entry's SPIFFE ID must match one. */
  readonly ids?: readonly IdPattern[] | undefined;
  /** Patterns of which the entry's parent ID must match one. */
  readonly parents?: readonly IdPattern[] | undefined;
  /** The cluster that the entry must come from, by its origin. */
  readonly cluster?: string | undefined;
}

/** What one caller was granted. */
export interface Grants {
  readonly roles: ReadonlySet<Role>;
  readonly registrar: RegistrarScope;
}

/** Every role, unrestricted. */
export const ALL_GRANTS: Grants = { roles: new Set(ROLES), registrar: {} };

/** No role at all. */
export const NO_GRANTS: Grants = { roles: new Set(), registrar: {} };

/** What the file says about a caller's roles. */
export interface GrantSettings {
  readonly roles: readonly (Role | "all")[];
  readonly registrar: RegistrarScope;
}

/** The two keys of the file that grant roles; spread into the object that names the caller. */
export const grantShape: { readonly [K in keyof GrantSettings]: z.ZodType<GrantSettings[K]> } = {
  roles: z
    .array(z.enum(["all", ...ROLES]))
    .min(1)
    .describe('Roles of the caller; "all" stands for every role.'),
  registrar: z
    .strictObject({
      ids: z
        .array(idPatternSchema)
        .min(1)
        .optional()
        .describe(
          'Paths of SPIFFE IDs that the registrar may give out. "*" stands for one segment, a closing "**" for one or more.',
        ),
      parents: z
        .array(idPatternSchema)
        .min(1)
        .optional()
        .describe("Paths of parent IDs under which the registrar may write entries."),
      cluster: z
        .string()
        .min(1)
        .optional()
        .describe(
          "Name of a cluster: the registrar may write only entries whose origin is that cluster.",
        ),
    })
    .default({})
    .describe("Restricts the role registrar; without it the role covers every entry."),
};

/** The grants that the settings stand for. */
export function grantsOf(settings: GrantSettings): Grants {
  const roles = settings.roles.flatMap((role) => (role === "all" ? ROLES : [role]));
  return { roles: new Set(roles), registrar: settings.registrar };
}
