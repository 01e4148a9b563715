import type { JsonObject } from "../../../spiffe/json/strict-json.ts";
import { jsonOf, refusedBy, secondsIn, textIn, unusable } from "./cloud-json.ts";
import { type CloudAnswer, formOf, postToCloud } from "./cloud-request.ts";

/** An access token of a cloud. A secret. */
export interface AccessToken {
  readonly accessToken: string;
  readonly expiresAt: Date;
}

/** A JWT-SVID to be exchanged for a federated access token (RFC 8693) of Google. */
export interface ExchangeRequest {
  /** "//iam.googleapis.com/projects/..." */
  readonly provider: string;
  readonly token: string;
  readonly scope: string;
  readonly endpoint: string;
}

/** The token service. */
export const GOOGLE_STS = "https://sts.googleapis.com/v1/token";
/** Where tokens of service accounts are made. */
export const GOOGLE_IAM = "https://iamcredentials.googleapis.com";
/** What the type of a JWT-SVID is called in an exchange. */
export const JWT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt";

const STS = "Google STS";
const IAM = "Google IAM";

/** @throws {CliError} with Google's code when it refuses, unavailable when its answer cannot be used */
export async function exchangeToken(
  { provider, token, scope, endpoint }: ExchangeRequest,
  now: Date,
  signal: AbortSignal,
): Promise<AccessToken> {
  const body = formOf({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    audience: provider,
    scope,
    requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
    subject_token_type: JWT_TOKEN_TYPE,
    subject_token: token,
  });
  const contentType = "application/x-www-form-urlencoded";
  const answer = await postToCloud({ url: endpoint, contentType, body }, signal);
  const content = jsonOf(STS, answer);
  if (answer.status !== 200) throw oauthRefusal(STS, answer, content);
  if (textIn(STS, content, "token_type").toLowerCase() !== "bearer") {
    throw unusable(STS, "the answer holds no bearer token");
  }
  const expiresAt = new Date(now.getTime() + secondsIn(STS, content, "expires_in") * 1000);
  return { accessToken: textIn(STS, content, "access_token"), expiresAt };
}

/** Exchanges a federated token for one of a service account. @throws {CliError} as {@link exchangeToken} */
export async function impersonate(
  o: { readonly account: string; readonly scope: string; readonly endpoint: string },
  federated: AccessToken,
  signal: AbortSignal,
): Promise<AccessToken> {
  const account = encodeURIComponent(o.account);
  const answer = await postToCloud(
    {
      url: `${o.endpoint}/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
      contentType: "application/json",
      headers: { authorization: `Bearer ${federated.accessToken}` },
      body: JSON.stringify({ scope: o.scope.split(" "), lifetime: "3600s" }),
    },
    signal,
  );
  const content = jsonOf(IAM, answer);
  if (answer.status !== 200) throw googleRefusal(answer, content);
  const end = textIn(IAM, content, "expireTime");
  const expiresAt = new Date(end);
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(end) || Number.isNaN(expiresAt.getTime())) {
    throw unusable(IAM, "expireTime is no time");
  }
  return { accessToken: textIn(IAM, content, "accessToken"), expiresAt };
}

/** An error as OAuth writes it (RFC 6749 5.2). */
export function oauthRefusal(who: string, { status }: CloudAnswer, content: JsonObject): Error {
  const { error, error_description: description } = content;
  if (typeof error !== "string") return unusable(who, `status ${status} without an error`);
  return refusedBy(who, status, error, typeof description === "string" ? description : "");
}

function googleRefusal({ status }: CloudAnswer, content: JsonObject): Error {
  const { error } = content;
  if (typeof error === "object" && error !== null && "status" in error) {
    const { status: code, message } = error;
    if (typeof code === "string") {
      return refusedBy(IAM, status, code, typeof message === "string" ? message : "");
    }
  }
  return unusable(IAM, `status ${status} without an error`);
}
