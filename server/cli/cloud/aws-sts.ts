import { quoted, refusedBy, unusable } from "./cloud-json.ts";
import { type CloudAnswer, formOf, postToCloud } from "./cloud-request.ts";
import { parseXml, textAt, type XmlElement } from "./xml.ts";

/** A role to be taken (AssumeRoleWithWebIdentity of the AWS Security Token Service). */
export interface RoleRequest {
  readonly roleArn: string;
  /** 2 to 64 characters; shows up in CloudTrail. */
  readonly sessionName: string;
  readonly token: string;
  /** 900 to 43200; at most what the role allows. */
  readonly durationSeconds?: number;
  /** The service's URL. */
  readonly endpoint: string;
}

/** Temporary credentials. All but the first are secrets. */
export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

const WHO = "AWS STS";

/** The regional endpoint of the token service; tokens of it are valid in every region that is on by default. */
export function stsEndpoint(region: string): string {
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return `https://sts.${region}.${domain}/`;
}

/** A session name for an identity: its last 64 characters, of those that AWS takes. */
export function sessionNameOf(spiffeId: string): string {
  const name = spiffeId.replace(/^spiffe:\/\//, "").replace(/[^\w+=,.@-]/g, "-");
  return name.slice(-64).padEnd(2, "-");
}

/**
 * Takes a role with a JWT-SVID.
 *
 * @throws {CliError} with AWS's code when it refuses, unavailable when its answer cannot be used
 */
export async function assumeRole(
  request: RoleRequest,
  signal: AbortSignal,
): Promise<RoleCredentials> {
  const { roleArn, sessionName, token, durationSeconds, endpoint } = request;
  const body = formOf({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn,
    RoleSessionName: sessionName,
    WebIdentityToken: token,
    DurationSeconds: durationSeconds?.toString(),
  });
  const contentType = "application/x-www-form-urlencoded; charset=utf-8";
  const answer = await postToCloud({ url: endpoint, contentType, body }, signal);
  const root = elementOf(answer);
  if (answer.status === 200) return credentialsIn(root);
  const code = textAt(root, "Error", "Code");
  if (root.name !== "ErrorResponse" || code === undefined) {
    throw unusable(WHO, `status ${answer.status} without an error of AWS`);
  }
  throw refusedBy(WHO, answer.status, code, textAt(root, "Error", "Message") ?? "");
}

function elementOf({ status, body }: CloudAnswer): XmlElement {
  try {
    return parseXml(body);
  } catch (err) {
    if (!(err instanceof SyntaxError)) throw err;
    throw unusable(WHO, `status ${status} without usable XML: ${err.message}`);
  }
}

function credentialsIn(root: XmlElement): RoleCredentials {
  const field = (name: string): string => {
    const text = textAt(root, "AssumeRoleWithWebIdentityResult", "Credentials", name);
    if (root.name !== "AssumeRoleWithWebIdentityResponse" || !text) {
      throw unusable(WHO, `the answer has no ${name}`);
    }
    return text;
  };
  const end = field("Expiration");
  const expiration = new Date(end);
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(end) || Number.isNaN(expiration.getTime())) {
    throw unusable(WHO, `${quoted(end)} is no time`);
  }
  return {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    sessionToken: field("SessionToken"),
    expiration,
  };
}
