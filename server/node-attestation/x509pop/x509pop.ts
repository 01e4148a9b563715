import { createHash } from "node:crypto";
import type { Selector } from "../../../proto/selector.ts";
import { invalidArgument, permissionDenied } from "../../../runtime/errors/status-error.ts";
import type { Random } from "../../../runtime/random.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { SpiffeError } from "../../../spiffe/error.ts";
import type { TrustDomain } from "../../../spiffe/id/spiffe-id.ts";
import { Certificate } from "../../../spiffe/x509/certificate.ts";
import type { NodeAttestor } from "../node-attestor.ts";
import { agentIdFromTemplate } from "./agent-path.ts";
import { commonNameOf } from "./common-name.ts";
import { formatChallenge, parseAttestationData, parseChallengeResponse } from "./messages.ts";
import { checkProof, NONCE_BYTES, proofKindOf } from "./proof.ts";

/**
 * Where trust in nodes' certificates comes from: finds the way from the leaf to a trusted CA.
 *
 * @throws {SpiffeError} when there is none at `now`
 */
export type ChainVerifier = (
  leaf: Certificate,
  intermediates: readonly Certificate[],
  now: Date,
) => VerifiedChain;

/** A chain that was verified. */
export interface VerifiedChain {
  /** From the leaf's issuer to the trusted CA. */
  readonly authorities: readonly Certificate[];
  /** In spiffe mode: the path of the certificate's ID without the prefix. */
  readonly path?: string;
}

/** What the attestor is made of. */
export interface X509PopDeps {
  readonly trustDomain: TrustDomain;
  readonly verifyChain: ChainVerifier;
  readonly agentPathTemplate: string;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Attests by a certificate that the node has from an existing PKI: the chain is verified, then the agent proves that it holds
 * the key by signing nonces of both sides. The same certificate may be shown again, so agents renew by attesting again.
 */
export function x509popAttestor(deps: X509PopDeps): NodeAttestor {
  return {
    type: "x509pop",
    attest: async ({ payload, challenge }) => {
      const [leaf, ...intermediates] = parseAttestationData(payload).map(parseCertificate);
      if (leaf === undefined) throw invalidArgument("attestation payload: no certificate");
      const chain = verify(deps, leaf, intermediates);
      const kind = proofKindOf(leaf.publicKeyAlgorithm);

      const nonce = deps.random.bytes(NONCE_BYTES);
      const answer = await challenge(formatChallenge(kind, nonce));
      checkProof(leaf.publicKey, nonce, parseChallengeResponse(answer));

      const facts = {
        fingerprint: sha1(leaf.der),
        serial: leaf.serialNumberHex,
        cn: commonNameOf(leaf.subjectDer),
        path: chain.path,
      };
      return {
        agentId: agentIdFromTemplate(deps.trustDomain, deps.agentPathTemplate, facts),
        selectors: selectorsOf(deps.trustDomain, leaf, chain.authorities),
        canReattest: true,
      };
    },
  };
}

function parseCertificate(der: Uint8Array, index: number): Certificate {
  try {
    return Certificate.parse(der);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw invalidArgument(`attestation payload: certificates.${index}: ${cause.message}`, {
      cause,
    });
  }
}

function verify(
  deps: X509PopDeps,
  leaf: Certificate,
  intermediates: readonly Certificate[],
): VerifiedChain {
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.has("digitalSignature")) {
    throw permissionDenied("certificate: its key may not make digital signatures");
  }
  try {
    return deps.verifyChain(leaf, intermediates, deps.clock.now());
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw permissionDenied(`certificate: ${cause.message}`, { cause });
  }
}

// Both certificate names and URIs were signed by a CA that the operator trusts to name nodes.
function selectorsOf(
  trustDomain: TrustDomain,
  leaf: Certificate,
  authorities: readonly Certificate[],
): readonly Selector[] {
  const values = [`serialnumber:${leaf.serialNumberHex}`];
  const cn = commonNameOf(leaf.subjectDer);
  if (cn !== undefined && cn !== "") values.push(`subject:cn:${cn}`);
  for (const authority of authorities) values.push(`ca:fingerprint:${sha1(authority.der)}`);
  const prefix = `x509pop://${trustDomain.name}/`;
  for (const uri of leaf.uriSans) {
    if (!uri.startsWith(prefix)) continue;
    const [key = "", ...rest] = uri.slice(prefix.length).split("/");
    const value = rest.join("/");
    if (key !== "" && value !== "") values.push(`san:${key}:${value}`);
  }
  return values.map((value) => ({ type: "x509pop", value }));
}

// A name for the certificate, as agents and operators know it; nothing relies on SHA-1 being hard to collide.
function sha1(der: Uint8Array): string {
  return createHash("sha1").update(der).digest("hex");
}
