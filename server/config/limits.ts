import * as z from "zod";
import { rateSchema } from "../../runtime/config/rate.ts";
import type { Rate } from "../../runtime/time/token-buckets.ts";

const rate = (perSecond: number, burst: number, whole: string) =>
  rateSchema(
    { perSecond, burst },
    {
      perSecond: "Calls or items a second that the caller may make on average.",
      burst: "Calls or items that the caller may make at once after a pause.",
      whole,
    },
  );

/** A kind of call with a bucket of its own. */
export type LimitClass =
  | "attest"
  | "renew"
  | "status"
  | "sync"
  | "sign_x509"
  | "sign_jwt"
  | "mint"
  | "read"
  | "write";

/** The rate of each kind of call. */
export type Rates = Readonly<Record<LimitClass, Rate>>;

/** The buckets that every caller has, with their defaults. */
export const ratesSchema: z.ZodPrefault<z.ZodType<Rates>> = z
  .strictObject({
    attest: rate(10, 100, "Node attestations, per network address."),
    renew: rate(1, 10, "Renewals of an agent's own SVID."),
    status: rate(10, 20, "Status reports of an agent."),
    sync: rate(10, 50, "Synchronisations that an agent starts."),
    sign_x509: rate(1000, 5000, "X509-SVIDs for an agent's workloads, counted one by one."),
    sign_jwt: rate(1000, 5000, "JWT-SVIDs and WIT-SVIDs for an agent's workloads, one by one."),
    mint: rate(50, 200, "SVIDs minted by an administrator."),
    read: rate(500, 2000, "Reading calls."),
    write: rate(200, 1000, "Changing calls; a batch counts once."),
  })
  .prefault({})
  .describe("How often one caller may call, by kind of call. Others are not affected by it.");
