import { jsonOf, secondsIn, textIn, unusable } from "./cloud-json.ts";
import { formOf, postToCloud } from "./cloud-request.ts";
import { type AccessToken, oauthRefusal } from "./gcp-sts.ts";

/** A JWT-SVID to be shown to Microsoft Entra in place of a secret of an application. */
export interface AssertionRequest {
  readonly tenant: string;
  readonly clientId: string;
  /** Ends in "/.default". */
  readonly scope: string;
  readonly token: string;
  /** The authority host. */
  readonly endpoint: string;
}

/** The authority host of the public cloud. */
export const AZURE_AUTHORITY = "https://login.microsoftonline.com";
/** The only audience that a federated credential takes unless told otherwise. */
export const AZURE_AUDIENCE = "api://AzureADTokenExchange";

const WHO = "Microsoft Entra";

/** @throws {CliError} with Entra's code when it refuses, unavailable when its answer cannot be used */
export async function requestToken(
  { tenant, clientId, scope, token, endpoint }: AssertionRequest,
  now: Date,
  signal: AbortSignal,
): Promise<AccessToken> {
  const body = formOf({
    grant_type: "client_credentials",
    client_id: clientId,
    scope,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: token,
  });
  const url = `${endpoint}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
  const contentType = "application/x-www-form-urlencoded";
  const answer = await postToCloud({ url, contentType, body }, signal);
  const content = jsonOf(WHO, answer);
  if (answer.status !== 200) throw oauthRefusal(WHO, answer, content);
  if (textIn(WHO, content, "token_type").toLowerCase() !== "bearer") {
    throw unusable(WHO, "the answer holds no bearer token");
  }
  const expiresAt = new Date(now.getTime() + secondsIn(WHO, content, "expires_in") * 1000);
  return { accessToken: textIn(WHO, content, "access_token"), expiresAt };
}
