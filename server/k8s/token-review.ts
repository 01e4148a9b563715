import * as z from "zod";
import type { KubeClient } from "./kube-client.ts";
import { KubeError } from "./kube-error.ts";
import { nameSchema, parserOf, uidSchema } from "./objects/metadata.ts";
import { TOKEN_REVIEWS } from "./resources.ts";

/** What the API server says about a token that it accepts. */
export interface ReviewedToken {
  readonly serviceAccount: { readonly namespace: string; readonly name: string };
  /** Those that were asked for and that the token is meant for. */
  readonly audiences: readonly string[];
  /** The pod that the token is bound to. */
  readonly pod?: { readonly name: string; readonly uid: string } | undefined;
  /** The pod's node; API servers before 1.30 do not say. */
  readonly node?: { readonly name: string; readonly uid: string } | undefined;
}

const CLAIM = "authentication.kubernetes.io/";

const extraSchema = z.record(z.string().max(253), z.array(z.string().max(1024)).max(16)).nullish();

const reviewSchema = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    audiences: z.array(z.string().max(1024)).max(100).nullish(),
    user: z.object({ username: z.string().max(1024).default(""), extra: extraSchema }).nullish(),
  }),
});

const parseReview = parserOf("token review", reviewSchema);

/**
 * Asks the API server about a service account's token. Undefined when it does not accept the token for any of `audiences`, or
 * the token is not a service account's.
 *
 * @throws {KubeError} whose message says nothing of the token
 */
export async function reviewToken(
  client: Pick<KubeClient, "create">,
  { token, audiences }: { readonly token: string; readonly audiences: readonly string[] },
  signal: AbortSignal,
): Promise<ReviewedToken | undefined> {
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token, audiences },
  };
  let review: z.infer<typeof reviewSchema>;
  try {
    review = await client.create(TOKEN_REVIEWS, {}, body, parseReview, signal);
  } catch (err) {
    if (!(err instanceof KubeError)) throw err;
    // What the API server says about the request may quote it.
    throw new KubeError(err.code, `reviewing a token: ${err.code}`, err);
  }
  const { authenticated, user } = review.status;
  const [, namespace, name] = SERVICE_ACCOUNT.exec(user?.username ?? "") ?? [];
  // An API server that knows nothing of audiences names none: its word would hold for any audience.
  const accepted = (review.status.audiences ?? []).filter((found) => audiences.includes(found));
  if (!authenticated || namespace === undefined || name === undefined || accepted.length === 0) {
    return undefined;
  }
  const claims = claimsOf(user?.extra ?? {});
  return {
    serviceAccount: { namespace, name },
    audiences: accepted,
    pod: claims("pod"),
    node: claims("node"),
  };
}

const SERVICE_ACCOUNT =
  /^system:serviceaccount:([a-z0-9][-a-z0-9]{0,62}):([a-z0-9][-a-z0-9.]{0,252})$/;

function claimsOf(extra: Readonly<Record<string, readonly string[]>>) {
  const claim = (name: string): string | undefined => {
    const values = extra[`${CLAIM}${name}`] ?? [];
    return values.length === 1 ? values[0] : undefined;
  };
  return (kind: "pod" | "node"): { readonly name: string; readonly uid: string } | undefined => {
    const name = nameSchema.safeParse(claim(`${kind}-name`));
    const uid = uidSchema.safeParse(claim(`${kind}-uid`));
    return name.success && uid.success ? { name: name.data, uid: uid.data } : undefined;
  };
}
