import { readFile } from "node:fs/promises";
import { Agent } from "node:https";
import { rootCertificates } from "node:tls";
import type { KeyAndCertificate } from "../../runtime/http/document-server.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import type { AcmeSettings } from "../config/acme-settings.ts";
import type { Challenges } from "./challenges.ts";

/** Obtains one certificate with a new key. @throws {Error} with the ACME server's words; the signal's reason when it aborts */
export type OrderCertificate = (
  o: { readonly accountKey: string; readonly challenges: Challenges },
  signal: AbortSignal,
) => Promise<KeyAndCertificate>;

const CHALLENGE = "tls-alpn-01";
const REQUEST_MS = 30_000;
const MAX_ANSWER_BYTES = 256 * 1024;
/** Waiting for the ACME server's mind to be made up: 1, 2, 4, 5, 5 ... seconds, a minute and a half in all. */
const POLLING = { backoffAttempts: 20, backoffMin: 1_000, backoffMax: 5_000 };

/** Orders from the ACME server of the settings. @throws {Error} when `caFile` cannot be read */
export async function acmeOrders(settings: AcmeSettings): Promise<OrderCertificate> {
  const { directoryUrl, domain, email, tosAccepted, caFile } = settings;
  const ca = caFile === undefined ? [...rootCertificates] : await readFile(caFile, "utf8");
  return async ({ accountKey, challenges }, signal) => {
    // Loaded when it is needed: every few weeks, and only here.
    const { default: acme } = await import("acme-client");
    const httpsAgent = new Agent({ ca });
    // It has one HTTP client for all. Its interceptors are there to try again, which is for us to do, and forget why no answer came.
    acme.axios.interceptors.request.clear();
    acme.axios.interceptors.response.clear();
    Object.assign(acme.axios.defaults, {
      httpsAgent,
      signal,
      timeout: REQUEST_MS,
      maxContentLength: MAX_ANSWER_BYTES,
      maxRedirects: 0,
      proxy: false,
    });
    try {
      const client = new acme.Client({ directoryUrl, accountKey, ...POLLING });
      const challengeKey = await acme.crypto.createPrivateEcdsaKey();
      const [key, csr] = await acme.crypto.createCsr(
        { altNames: [domain] },
        await acme.crypto.createPrivateEcdsaKey(),
      );
      const cert = await untilAborted(
        client.auto({
          csr,
          ...(email === undefined ? {} : { email }),
          termsOfServiceAgreed: tosAccepted,
          // Only the ACME server can tell whether its way here is open.
          skipChallengeVerification: true,
          challengePriority: [CHALLENGE],
          challengeCreateFn: async (authorization, challenge, keyAuthorization) => {
            const type: string = challenge.type;
            if (type !== CHALLENGE) throw new Error(`the ACME server offers no ${CHALLENGE}`);
            const [, shown] = await acme.crypto.createAlpnCertificate(
              authorization,
              keyAuthorization,
              challengeKey,
            );
            challenges.put(domain, { key: String(challengeKey), cert: String(shown) });
          },
          challengeRemoveFn: async () => challenges.remove(domain),
        }),
        signal,
      );
      return { key: String(key), cert };
    } finally {
      httpsAgent.destroy();
    }
  };
}
