import { readFile } from "node:fs/promises";
import { ConfigError } from "../../runtime/config/load.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { BundleSource } from "../../spiffe/bundle/bundle.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import type { Certificate } from "../../spiffe/x509/certificate.ts";
import { parseCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import { findPath } from "../../spiffe/x509/certification-path.ts";
import type { AttestorSettings, X509PopSettings } from "../config/attestor-settings.ts";
import type { Clusters } from "../k8s/clusters.ts";
import type { Store } from "../store/store.ts";
import { joinTokenAttestor } from "./join-token.ts";
import { k8sPsatAttestor } from "./k8s-psat/k8s-psat.ts";
import type { NodeAttestor } from "./node-attestor.ts";
import { type ChainVerifier, x509popAttestor } from "./x509pop/x509pop.ts";

/** What attestors need. */
export interface AttestorDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "write">;
  /** The own bundle, the latest at each call. */
  readonly bundles: BundleSource;
  readonly clusters: Pick<Clusters, "get">;
  readonly clock: Clock;
  readonly random: Random;
}

const EXCHANGE_PREFIX = "/spire-exchange/";

/**
 * Makes the attestors that the configuration offers, by name.
 *
 * @throws {ConfigError} when a file that is named cannot be used, or a template never gives an ID
 */
export async function makeAttestors(
  settings: AttestorSettings,
  deps: AttestorDeps,
): Promise<ReadonlyMap<string, NodeAttestor>> {
  const attestors: NodeAttestor[] = [];
  if (settings.join_token !== undefined) {
    attestors.push(joinTokenAttestor(deps));
  }
  if (settings.x509pop !== undefined) attestors.push(await makeX509Pop(settings.x509pop, deps));
  // Without settings as well: clusters can be added while running, and without a cluster nobody is attested.
  attestors.push(k8sPsatAttestor(deps));
  return new Map(attestors.map((attestor) => [attestor.type, attestor]));
}

async function makeX509Pop(settings: X509PopSettings, deps: AttestorDeps): Promise<NodeAttestor> {
  const isSpiffe = settings.mode === "spiffe";
  const agentPathTemplate =
    settings.agentPathTemplate ?? (isSpiffe ? "/x509pop/{path}" : "/x509pop/{fingerprint}");
  const verifyChain = isSpiffe
    ? svidVerifier(deps.bundles)
    : pathVerifier(await readAuthorities(settings.caBundle ?? ""));
  return x509popAttestor({ ...deps, agentPathTemplate, verifyChain });
}

async function readAuthorities(path: string): Promise<readonly Certificate[]> {
  let authorities: readonly Certificate[];
  try {
    authorities = parseCertificatesPem(await readFile(path, "utf8"));
  } catch (err) {
    throw problem(`${path}: ${describeError(err)}`);
  }
  if (authorities.length === 0) throw problem(`${path} holds no certificate`);
  if (authorities.some(({ isCa }) => !isCa)) {
    throw problem(`${path} holds a certificate that is not a CA's`);
  }
  return authorities;
}

function pathVerifier(authorities: readonly Certificate[]): ChainVerifier {
  return (leaf, intermediates, now) => {
    const [, ...path] = findPath([leaf, ...intermediates], authorities, now);
    return { authorities: path };
  };
}

// X509-SVIDs of our own trust domain that an identity exchange issued to nodes.
function svidVerifier(bundles: BundleSource): ChainVerifier {
  return (leaf, intermediates, now) => {
    const { id, path } = verifyX509Svid([leaf, ...intermediates], bundles, now);
    if (!id.path.startsWith(EXCHANGE_PREFIX)) {
      throw new SpiffeError("id_not_authorized", `its SPIFFE ID is not below ${EXCHANGE_PREFIX}`);
    }
    return { authorities: path.slice(1), path: id.path.slice(EXCHANGE_PREFIX.length) };
  };
}

function problem(message: string): ConfigError {
  return new ConfigError("node attestation", [{ path: "nodeAttestors.x509pop.caBundle", message }]);
}
