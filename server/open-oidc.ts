import type { OidcSettings } from "./config/oidc-settings.ts";
import { ProviderEndpoint } from "./oidc/provider-endpoint.ts";
import type { Core } from "./open-core.ts";
import type { ServerDeps } from "./server-deps.ts";

/** OIDC discovery for the issuer that tokens of this server name. */
export function openOidc(
  { config, clock, random, log }: ServerDeps,
  settings: OidcSettings,
  { bundle }: Core,
): Promise<ProviderEndpoint> {
  const { jwtIssuer: issuer } = config.ca;
  if (issuer === undefined) throw new TypeError("tokens name no issuer");
  const provider = { issuer, hosts: settings.hosts, bundle: () => bundle.feed.value };
  const component = log.child({ component: "oidc" });
  return ProviderEndpoint.open({ settings, providers: [provider], clock, random, log: component });
}
