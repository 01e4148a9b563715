import { unavailable } from "../../runtime/errors/status-error.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { type Csr, parseCsr } from "../../spiffe/x509/csr.ts";
import { judgeSubjectKey, type KnownBadKeys } from "../policy/key-policy.ts";
import { signCaCertificate } from "./ca-certificate.ts";
import type { DownstreamCaOrder, IssuanceCall, IssuedCa } from "./issuance.ts";
import { deniedItem, intendedItem, issuanceDraft } from "./issuance-audit.ts";
import { denialError, refusalError } from "./issuance-error.ts";
import { type AskedFor, Door, type IssuerDeps } from "./issuer-deps.ts";
import { lifetimeFor } from "./lifetime.ts";
import { countIssued } from "./metrics.ts";
import { noAuthority } from "./no-authority.ts";
import { drawSerialNumbers, serialNumberHex } from "./serial-number.ts";

const DOWNSTREAM_UNIT = "DOWNSTREAM";

/** Signs the CA certificate of a server nested under this one. Rare, so it is checked and built before the intent. */
export async function signDownstreamCa(
  deps: IssuerDeps,
  call: IssuanceCall,
  order: DownstreamCaOrder,
): Promise<IssuedCa> {
  const authority = deps.active.value.x509;
  if (authority === undefined) throw noAuthority("X.509");
  const { audit, metrics, random } = deps;
  const door = new Door(deps);
  const { policy, context } = door;
  const about = { call, policyRevision: policy.revision, revocationEpoch: context.revocationEpoch };
  const asked: AskedFor = { profile: "x509_downstream_ca", ...order };
  const decision = door.ask(call, asked);
  if (decision.decision === "deny") {
    countIssued(metrics, "ca", "denied");
    audit.event(issuanceDraft({ ...about, action: "ca.refuse" }, [deniedItem(asked, decision)]));
    throw denialError(decision);
  }
  const lifetime = lifetimeFor(decision, authority, context.now);
  if (lifetime === undefined) throw noAuthority("X.509");
  const { spkiDer } = checkRequest(order.csrDer, deps.knownBadKeys);
  const [serial = new Uint8Array(), subject = new Uint8Array()] = drawSerialNumbers(random, 2);
  const { notBefore, notAfter, cappedBy } = lifetime;
  const credential = {
    kind: "ca",
    issuer: authority.id,
    serial: serialNumberHex(serial),
    jti: null,
    audience: [],
    expiry: notAfter.toISOString(),
  } as const;
  const item = intendedItem(asked, credential, spkiDer, decision);
  const ref = await audit.intent(issuanceDraft({ ...about, action: "ca.issue" }, [item]));
  try {
    const { issuerDer: subjectDer, authorityKeyId: keyId } = authority.issuer;
    const certificateDer = await signCaCertificate(
      {
        serial,
        notBefore,
        notAfter,
        spkiDer,
        trustDomainId: policy.trustDomain.id.toString(),
        subjectSerial: BigInt(`0x${serialNumberHex(subject)}`).toString(),
        organizationalUnit: DOWNSTREAM_UNIT,
        issuer: { subjectDer, keyId },
      },
      authority.key,
    );
    audit.outcome(ref, { decision: "allow" });
    countIssued(metrics, "ca", "issued", cappedBy);
    return {
      chainDer: [certificateDer, ...authority.intermediatesDer],
      serialNumberHex: serialNumberHex(serial),
      notAfter,
      ...(cappedBy === undefined ? {} : { cappedBy }),
    };
  } catch (cause) {
    audit.outcome(ref, { decision: "failed", reasonCode: "signing_failed" });
    countIssued(metrics, "ca", "failed");
    throw unavailable("signing failed, try again", { reason: "signing_failed", cause });
  }
}

function checkRequest(csrDer: Uint8Array, knownBad: KnownBadKeys): Csr {
  try {
    const csr = parseCsr(csrDer);
    const objection = judgeSubjectKey(csr.spkiDer, csr.publicKeyAlgorithm, knownBad);
    if (objection !== undefined) throw refusalError("csr_key", objection);
    if (!csr.verifySignature()) {
      throw refusalError("csr_signature", "the certificate request is not signed with its own key");
    }
    return csr;
  } catch (err) {
    if (err instanceof SpiffeError) throw refusalError("csr_malformed", err.message);
    throw err;
  }
}
