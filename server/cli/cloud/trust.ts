/** What a cloud is told to trust, as its own tools take it, and what it would refuse. Pure. */
import { shellCommand } from "./shell-command.ts";

/** An identity of ours that a cloud is to trust. */
export interface TrustRequest {
  /** As it stands in the `iss` claim: an https URL without a slash at its end. */
  readonly issuer: string;
  readonly spiffeId: string;
  readonly audience: string;
}

/** Configuration for a cloud, with what to know about it. */
export interface Trust {
  readonly content: object;
  /** For people. */
  readonly notes: readonly string[];
}

/** A limit of the cloud, or of the entry, stands in the way. */
export class TrustProblem extends Error {
  override readonly name = "TrustProblem";
}

const bytes = (text: string): number => Buffer.byteLength(text, "utf8");

/** A role's trust policy (IAM): this subject for this audience, and nobody else. @throws {TrustProblem} */
export function awsTrust(
  { issuer, spiffeId, audience }: TrustRequest,
  { account, partition }: { readonly account: string; readonly partition: string },
): Trust {
  const provider = issuer.slice("https://".length);
  if (issuer.length > 255) throw new TrustProblem("AWS takes issuers of at most 255 characters");
  if (/[*?]|\$\{/.test(spiffeId))
    throw new TrustProblem("the SPIFFE ID has a sign that AWS expands");
  if (audience.length > 255)
    throw new TrustProblem("AWS takes audiences of at most 255 characters");
  const content = {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: `arn:${partition}:iam::${account}:oidc-provider/${provider}` },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: { [`${provider}:aud`]: audience, [`${provider}:sub`]: spiffeId },
        },
      },
    ],
  };
  const size = JSON.stringify(content).length;
  if (size > 2048) {
    throw new TrustProblem(
      `the policy has ${size} characters; AWS takes 2048 unless the quota is raised`,
    );
  }
  return {
    content,
    notes: [
      `once for each account: ${shellCommand(["aws", "iam", "create-open-id-connect-provider", "--url", issuer, "--client-id-list", audience])}`,
      "with this output in trust.json: aws iam create-role --role-name ROLE --assume-role-policy-document file://trust.json",
      "the provider's list of client IDs must hold the audience; it has room for 100",
      "a thumbprint is needed only where the issuer's certificate is of an authority that AWS does not know",
    ],
  };
}

/** A provider of a Google workload identity pool for one subject. @throws {TrustProblem} */
export function gcpTrust(
  { issuer, spiffeId, audience }: TrustRequest,
  pool: { readonly project: string; readonly pool: string; readonly provider: string },
): Trust {
  if (/['\\]/.test(spiffeId)) throw new TrustProblem("the SPIFFE ID has a sign that CEL quotes");
  if (audience.length > 256 || audience.includes(",")) {
    throw new TrustProblem("Google takes audiences of at most 256 characters, without commas");
  }
  const subject = gcpSubject(spiffeId);
  const parent = `projects/${pool.project}/locations/global/workloadIdentityPools/${pool.pool}`;
  const content = {
    name: `${parent}/providers/${pool.provider}`,
    oidc: { issuerUri: issuer, allowedAudiences: [audience] },
    attributeMapping: { "google.subject": subject.mapping },
    attributeCondition: `assertion.sub == '${spiffeId}'`,
  };
  return {
    content,
    notes: [
      shellCommand([
        ...["gcloud", "iam", "workload-identity-pools", "providers", "create-oidc", pool.provider],
        "--location=global",
        `--workload-identity-pool=${pool.pool}`,
        `--issuer-uri=${issuer}`,
        `--allowed-audiences=${audience}`,
        `--attribute-mapping=google.subject=${subject.mapping}`,
        `--attribute-condition=${content.attributeCondition}`,
      ]),
      `grant roles to principal://iam.googleapis.com/${parent}/subject/${subject.value}`,
      ...(subject.value === spiffeId
        ? []
        : [
            `the SPIFFE ID is longer than ${MAX_SUBJECT} bytes, so the subject is its path; the condition still compares all of it`,
          ]),
    ],
  };
}

const MAX_SUBJECT = 127;

/** Google takes 127 bytes of subject. A longer ID is cut to what follows the trust domain, by the mapping. */
function gcpSubject(spiffeId: string): { readonly mapping: string; readonly value: string } {
  if (bytes(spiffeId) <= MAX_SUBJECT) return { mapping: "assertion.sub", value: spiffeId };
  const prefix = /^spiffe:\/\/[^/]+\//.exec(spiffeId)?.[0] ?? "";
  const value = spiffeId.slice(prefix.length);
  if (bytes(value) > MAX_SUBJECT) {
    throw new TrustProblem(
      `google.subject takes ${MAX_SUBJECT} bytes, and the path alone has ${bytes(value)}: use a shorter SPIFFE ID`,
    );
  }
  return { mapping: `assertion.sub.extract('${prefix}{rest}')`, value };
}

const MAX_AZURE = 20;
/** Takes one credential, from a file or as JSON. */
const AZURE_CREATE = "az ad app federated-credential create --id APP_ID --parameters";

/** Federated credentials of an Azure application, one for each identity. @throws {TrustProblem} */
export function azureTrust(
  requests: readonly TrustRequest[],
  o: { readonly name?: string | undefined; readonly existing: number },
): Trust {
  const total = requests.length + o.existing;
  if (total > MAX_AZURE) {
    throw new TrustProblem(
      `an application takes ${MAX_AZURE} federated credentials, and these would make ${total}: use several applications, or managed identities`,
    );
  }
  const credentials = requests.map(({ issuer, spiffeId, audience }, index) => {
    for (const [what, text] of Object.entries({ issuer, subject: spiffeId, audience })) {
      if (text.length > 600) throw new TrustProblem(`Azure takes 600 characters of ${what}`);
    }
    const name = requests.length === 1 ? o.name : o.name && `${o.name}-${index + 1}`;
    return {
      name: name ?? azureName(spiffeId),
      issuer,
      subject: spiffeId,
      audiences: [audience],
      description: "JWT-SVIDs of Assay",
    };
  });
  const [only] = credentials;
  return {
    content: credentials.length === 1 && only !== undefined ? only : credentials,
    notes: [
      credentials.length === 1
        ? `with this output in credential.json: ${AZURE_CREATE} credential.json`
        : `with this output in credentials.json: jq -c '.[]' credentials.json | while read -r one; do ${AZURE_CREATE} "$one"; done`,
      `issuer, subject and audience are compared to the letter; an application takes ${MAX_AZURE} credentials, ${MAX_AZURE - total} are left`,
      "Entra takes RS256 only: an RSA type in ca.jwtKeyTypes, and jwt.audiences or the entry asking for RS256",
    ],
  };
}

/** 3 to 120 characters that may stand in a URL, beginning with a letter or a figure. */
function azureName(spiffeId: string): string {
  const name = spiffeId.slice("spiffe://".length).replace(/[^A-Za-z0-9]+/g, "-");
  return name
    .slice(-120)
    .replace(/^-+|-+$/g, "")
    .padEnd(3, "0");
}
