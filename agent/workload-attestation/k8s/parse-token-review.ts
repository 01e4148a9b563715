import { fields, list, required, text } from "./read-fields.ts";

/** What the API server vouches for: whose token it is. */
export interface ReviewedToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podUid: string;
  readonly nodeName: string;
}

const extraKey = {
  podUid: "authentication.kubernetes.io/pod-uid",
  nodeName: "authentication.kubernetes.io/node-name",
} as const;

/**
 * Reads the answer to a TokenReview.
 *
 * @returns undefined when the token is not taken: not valid, ended, for another audience, or bound to no pod
 * @throws {Error} when it is no such answer
 */
export function parseTokenReview(json: string, audience: string): ReviewedToken | undefined {
  const { authenticated, audiences, user } = fields(fields(JSON.parse(json))["status"]);
  if (authenticated !== true || !list(audiences).includes(audience)) return undefined;
  const { username, extra } = fields(user);
  const [, namespace, serviceAccount] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(required(username)) ?? [];
  const podUid = onlyOf(extra, extraKey.podUid);
  const nodeName = onlyOf(extra, extraKey.nodeName);
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  if (podUid === undefined || nodeName === undefined) return undefined;
  return { namespace, serviceAccount, podUid, nodeName };
}

function onlyOf(extra: unknown, key: string): string | undefined {
  const [value, ...others] = list(fields(extra ?? {})[key]);
  return value === undefined || others.length > 0 ? undefined : text(value);
}
