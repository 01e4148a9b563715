import { constants } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { X509Svid } from "../svid/x509-svid.ts";
import { formatCertificatesPem } from "../x509/certificate-pem.ts";

/**
 * TLS with an X509-SVID of one's own. No roots are loaded, since peers are verified by us, and no session tickets are
 * given: a resumed session would outlive the SVIDs that it was made with.
 */
export function contextOptionsOf(svid: X509Svid): SecureContextOptions {
  return {
    cert: formatCertificatesPem(svid.certificates),
    key: svid.privateKey.export({ format: "pem", type: "pkcs8" }),
    ca: [],
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** The same, ready for a connection. */
export function secureContextOf(svid: X509Svid): SecureContext {
  return createSecureContext(contextOptionsOf(svid));
}
