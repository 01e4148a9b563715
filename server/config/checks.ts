import { isIP } from "node:net";
import { formatDuration } from "../../runtime/config/duration.ts";
import { SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { guaranteedTtl } from "./authority-schedule.ts";
import { issuerProblem } from "./issuer-url.ts";
import { jwsAlgorithmOf, jwtKeyTypesOf } from "./issuing-settings.ts";
import { isCovered, notCovered } from "./oidc-settings.ts";
import type { ServerConfig } from "./server-config.ts";

/** Something that a single field's schema cannot see. */
export interface ConfigProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const MINUTE = 60_000;

/** Checks relations between fields; answers all problems, not the first. */
export function checkRelations(config: ServerConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuse = (path: ConfigProblem["path"], message: string): void => {
    problems.push({ path, message });
  };
  checkOperators(config, TrustDomain.parse(config.trustDomain), refuse);
  checkLifetimes(config, refuse);
  checkAlgorithms(config, refuse);
  checkOidc(config, refuse);
  checkUsers(config, refuse);
  checkRegistrars(config, refuse);
  checkFederation(config, refuse);
  for (const key of ["listen", "observability"] as const) {
    if (isIP(config[key].address) === 0) refuse([key, "address"], "expected an IP address");
  }
  return problems;
}

type Refuse = (path: ConfigProblem["path"], message: string) => void;

function checkOperators(config: ServerConfig, trustDomain: TrustDomain, refuse: Refuse): void {
  const seen = new Set<string>();
  for (const [index, { id }] of config.operators.entries()) {
    const path = ["operators", index, "id"];
    try {
      const { path: idPath } = checkMember(SpiffeId.parse(id), trustDomain);
      if (idPath === "" || idPath === "/spire" || idPath.startsWith("/spire/")) {
        refuse(path, "expected an ID with a path that does not begin with /spire");
      }
    } catch (err) {
      refuse(path, messageOf(err));
    }
    if (seen.has(id)) refuse(path, "expected each operator once");
    seen.add(id);
  }
}

function checkMember(id: SpiffeId, trustDomain: TrustDomain): SpiffeId {
  if (!id.memberOf(trustDomain)) throw new Error(`expected an ID in trust domain ${trustDomain}`);
  return id;
}

/** Entries of pods have the agent of the pod's node as parent, which an agent by pod never is. */
function checkRegistrars({ nodeAttestors, registrar }: ServerConfig, refuse: Refuse): void {
  for (const [name, { agentIdBy }] of Object.entries(nodeAttestors.k8s_psat?.clusters ?? {})) {
    if (agentIdBy === "pod" && registrar.clusters[name] !== undefined) {
      const path = ["nodeAttestors", "k8s_psat", "clusters", name, "agentIdBy"];
      refuse(path, 'expected "node", because the registrar writes entries for agents by node');
    }
  }
}

function checkFederation({ trustDomain, federation }: ServerConfig, refuse: Refuse): void {
  const { relationships, bundleEndpoint, refreshHint } = federation;
  for (const [name, { bundleEndpoint: endpoint }] of Object.entries(relationships)) {
    const path = ["federation", "relationships", name];
    if (name === trustDomain) refuse(path, "expected a trust domain other than the server's own");
    if (endpoint.profile === "none") continue;
    const url = URL.parse(endpoint.url);
    if (url?.protocol !== "https:" || url.username !== "" || endpoint.url.includes("@")) {
      refuse([...path, "bundleEndpoint", "url"], "expected an https URL without user information");
    }
  }
  if (bundleEndpoint !== undefined && isIP(bundleEndpoint.address) === 0) {
    refuse(["federation", "bundleEndpoint", "address"], "expected an IP address");
  }
  if (refreshHint < MINUTE / 6) refuse(["federation", "refreshHint"], "expected at least 10s");
}

function checkLifetimes({ ca }: ServerConfig, refuse: Refuse): void {
  if (ca.authorityTtl < 30 * MINUTE) refuse(["ca", "authorityTtl"], "expected at least 30m");
  const longestMinutes = Math.floor(guaranteedTtl(ca.authorityTtl) / MINUTE);
  for (const key of ["x509SvidTtl", "jwtSvidTtl", "agentTtl"] as const) {
    if (ca[key] > longestMinutes * MINUTE) {
      refuse(
        ["ca", key],
        `expected at most ${formatDuration(longestMinutes * MINUTE)}, a sixth of ca.authorityTtl: the authority in use may have no more left`,
      );
    }
  }
  for (const key of ["x509SvidTtl", "agentTtl"] as const) {
    if (ca[key] < MINUTE) refuse(["ca", key], "expected at least 1m");
  }
  if (ca.jwtSvidTtl < MINUTE / 6) refuse(["ca", "jwtSvidTtl"], "expected at least 10s");
}

/** Tokens name the issuer, so it is a setting of the authorities, and the only one there is. */
function checkOidc({ ca, oidc }: ServerConfig, refuse: Refuse): void {
  if (oidc === undefined) return;
  const problem = ca.jwtIssuer === undefined ? "expected an issuer" : issuerProblem(ca.jwtIssuer);
  if (problem !== undefined) refuse(["ca", "jwtIssuer"], `${problem}, since there is oidc`);
  else if (ca.jwtIssuer !== undefined && !isCovered(ca.jwtIssuer, oidc.listen)) {
    refuse(["oidc", "listen", "domain"], notCovered(ca.jwtIssuer));
  }
  if (oidc.maxAge > ca.authorityTtl / 6) {
    refuse(
      ["oidc", "maxAge"],
      "expected at most a sixth of ca.authorityTtl: a key is published a third before it signs",
    );
  }
  const signed = jwtKeyTypesOf(ca).map(jwsAlgorithmOf);
  if (!signed.some((algorithm) => oidc.algorithms.includes(algorithm))) {
    refuse(["oidc", "algorithms"], `expected ${signed.join(" or ")}, as ca.jwtKeyTypes`);
  }
}

/** Who wants a token names an algorithm, so each has one authority. */
function checkAlgorithms({ ca, jwt }: ServerConfig, refuse: Refuse): void {
  if (ca.jwtKeyType !== undefined && ca.jwtKeyTypes !== undefined) {
    refuse(["ca", "jwtKeyType"], "expected jwtKeyTypes or jwtKeyType, not both");
  }
  const algorithms = jwtKeyTypesOf(ca).map(jwsAlgorithmOf);
  for (const [index, algorithm] of algorithms.entries()) {
    if (algorithms.indexOf(algorithm) < index) {
      refuse(["ca", "jwtKeyTypes", index], `expected one kind of key for ${algorithm}`);
    }
  }
  for (const [audience, { algorithm }] of Object.entries(jwt.audiences)) {
    if (!algorithms.includes(algorithm)) {
      const known = algorithms.join(" or ");
      refuse(["jwt", "audiences", audience, "algorithm"], `expected ${known}, as ca.jwtKeyTypes`);
    }
  }
}

function checkUsers({ adminSocket }: ServerConfig, refuse: Refuse): void {
  const seen = new Set<number>();
  for (const [index, { uid }] of (adminSocket.users ?? []).entries()) {
    if (seen.has(uid)) refuse(["adminSocket", "users", index, "uid"], "expected each user once");
    seen.add(uid);
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : "invalid";
}
