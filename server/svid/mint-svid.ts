import { invalidArgument } from "../../runtime/errors/status-error.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type Csr, parseCsr } from "../../spiffe/x509/csr.ts";
import type { IssuanceCall, IssuedX509Svid, Issuer } from "../ca/issuance.ts";

/**
 * Issues an X509-SVID without an entry: an administrator vouches for it. The CSR names the SPIFFE ID, as its only URI, and the DNS
 * names; whether this ID may be minted is the policy's to say.
 *
 * @param ttlSeconds zero takes the default
 * @throws {StatusError} INVALID_ARGUMENT, and what the policy says
 */
export async function mintX509Svid(
  issuer: Pick<Issuer, "signX509Svids">,
  request: { readonly csrDer: Uint8Array; readonly ttlSeconds: number },
  call: IssuanceCall,
): Promise<IssuedX509Svid> {
  const { csrDer, ttlSeconds } = request;
  const csr = readCsr(csrDer);
  const order = {
    profile: "x509_mint",
    spiffeId: csr.spiffeId,
    dnsNames: csr.dnsNames,
    csrDer,
    ...(ttlSeconds === 0 ? {} : { ttlSeconds }),
  } as const;
  const [result] = await issuer.signX509Svids(call, [order]);
  if (result === undefined) throw new Error("the issuer left out a result");
  if (!result.issued) throw result.error;
  return result.svid;
}

function readCsr(csrDer: Uint8Array): { spiffeId: SpiffeId; dnsNames: readonly string[] } {
  if (csrDer.length === 0) throw invalidArgument("csr: is required", { reason: "field_invalid" });
  try {
    const csr = parseCsr(csrDer);
    return { spiffeId: onlyUri(csr), dnsNames: csr.dnsSans };
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw invalidArgument(`csr: ${cause.message}`, { reason: cause.code, cause });
  }
}

function onlyUri({ uriSans }: Csr): SpiffeId {
  const [uri, ...others] = uriSans;
  if (uri === undefined || others.length > 0) {
    throw invalidArgument("csr: exactly one URI SAN is required, the SPIFFE ID", {
      reason: "csr_uri_san",
    });
  }
  return SpiffeId.parse(uri);
}
