import type { RegistrarScopeSettings } from "./registrar-rules.ts";

/** How the registrar of one cluster works; times in milliseconds. */
export interface RegistrarSettings extends RegistrarScopeSettings {
  /** Acts on resources of this class, and without one on those without. */
  readonly className: string;
  /** Acts on resources without a class too. */
  readonly watchClassless: boolean;
  readonly clusterDomain: string;
  readonly ignoreNamespaces: readonly string[];
  /** Zero for the server's default. */
  readonly defaultX509SvidTtl: number;
  /** Zero for the server's default. */
  readonly defaultJwtSvidTtl: number;
  /** How often it compares with its list at the server. */
  readonly resyncInterval: number;
}
