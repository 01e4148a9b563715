// The token services of three clouds, as far as they are documented: each checks every field of a request, verifies the token as the
// cloud would, and holds it against the trust configuration it was given.

import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What was verified of a token. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  readonly algorithm: string;
}

/** The cloud's side of the trust, in the form in which its own tools take it. */
export interface CloudTrust {
  /** AWS: policies by role. */
  readonly roles?: Readonly<Record<string, AwsPolicy>>;
  /** Google: providers. */
  readonly providers?: readonly GoogleProvider[];
  /** Azure: federated credentials by application. */
  readonly applications?: Readonly<Record<string, readonly AzureCredential[]>>;
}

export interface AwsPolicy {
  readonly Statement: readonly {
    readonly Action: string;
    readonly Principal: { readonly Federated: string };
    readonly Condition: { readonly StringEquals: Readonly<Record<string, string>> };
  }[];
}

export interface GoogleProvider {
  readonly name: string;
  readonly oidc: { readonly issuerUri: string; readonly allowedAudiences: readonly string[] };
  readonly attributeCondition: string;
}

export interface AzureCredential {
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
}

/** Why a cloud says no: its status, its code, its words. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class FakeCloud implements AsyncDisposable {
  trust: CloudTrust = {};
  /** Answers in place of the services. */
  instead: RequestListener | undefined;
  readonly #verify: (token: string) => Promise<VerifiedToken>;
  readonly #server: Server;

  /** @param verify by the issuer's keys; throws for a token that is not valid */
  static async open(verify: (token: string) => Promise<VerifiedToken>): Promise<FakeCloud> {
    const cloud = new FakeCloud(verify);
    cloud.#server.listen(0, "127.0.0.1");
    await once(cloud.#server, "listening");
    return cloud;
  }

  private constructor(verify: (token: string) => Promise<VerifiedToken>) {
    this.#verify = verify;
    this.#server = createServer(async (request, response) => {
      if (this.instead !== undefined) return this.instead(request, response);
      const { status, type, body } = await this.#answer(request);
      response.writeHead(status, { "content-type": type }).end(body);
    });
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage) {
    const body = await text(request);
    const path = request.url ?? "";
    const isAws = path === "/";
    try {
      if (request.method !== "POST") throw new Refusal(405, "MethodNotAllowed", "POST only");
      if (isAws) return xml(200, await this.#aws(formOf(request, body)));
      if (path === "/v1/token") return json(200, await this.#google(formOf(request, body)));
      if (path.startsWith("/v1/projects/-/")) return json(200, googleAccount(request, path, body));
      const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(path)?.[1];
      if (tenant !== undefined) return json(200, await this.#azure(formOf(request, body)));
      throw new Refusal(404, "NotFound", path);
    } catch (err) {
      if (!(err instanceof Refusal)) throw err;
      const { status, code, message } = err;
      if (isAws) return xml(status, awsError(code, message));
      if (path.startsWith("/v1/projects"))
        return json(status, { error: { status: code, message } });
      return json(status, { error: code, error_description: message });
    }
  }

  async #aws(form: Form): Promise<string> {
    expect(form, {
      Action: /^AssumeRoleWithWebIdentity$/,
      Version: /^2011-06-15$/,
      RoleArn: /^arn:aws:iam::\d{12}:role\/.+$/,
      RoleSessionName: /^[\w+=,.@-]{2,64}$/,
      WebIdentityToken: /^[\w-]+\.[\w-]+\.[\w-]+$/,
      DurationSeconds: /^(\d{3,5})?$/,
    });
    const token = await this.#verified(form["WebIdentityToken"], 400, "InvalidIdentityToken");
    const { Statement = [] } = this.trust.roles?.[form["RoleArn"] ?? ""] ?? {};
    const provider = token.issuer.replace("https://", "");
    const isTrusted = Statement.some(({ Action, Principal, Condition: { StringEquals } }) => {
      const { [`${provider}:aud`]: aud = "", [`${provider}:sub`]: sub } = StringEquals;
      const isOurs = Principal.Federated.endsWith(`:oidc-provider/${provider}`);
      const isRight = token.audiences.includes(aud) && token.subject === sub;
      return Action === "sts:AssumeRoleWithWebIdentity" && isOurs && isRight;
    });
    if (!isTrusted)
      throw new Refusal(
        403,
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
      );
    return awsAnswer(token.subject);
  }

  async #google(form: Form): Promise<object> {
    expect(form, {
      grant_type: /^urn:ietf:params:oauth:grant-type:token-exchange$/,
      audience: /^\/\/iam\.googleapis\.com\/projects\/\d+\/locations\/global\//,
      scope: /^https:\/\/www\.googleapis\.com\/auth\/\S+$/,
      requested_token_type: /^urn:ietf:params:oauth:token-type:access_token$/,
      subject_token_type: /^urn:ietf:params:oauth:token-type:jwt$/,
      subject_token: /^[\w-]+\.[\w-]+\.[\w-]+$/,
    });
    const token = await this.#verified(form["subject_token"], 400, "invalid_grant");
    const name = form["audience"]?.replace("//iam.googleapis.com/", "");
    const provider = this.trust.providers?.find((one) => one.name === name);
    if (provider === undefined) throw new Refusal(400, "invalid_target", "no such provider");
    const { oidc, attributeCondition } = provider;
    const isRight =
      oidc.issuerUri === token.issuer &&
      token.audiences.some((one) => oidc.allowedAudiences.includes(one)) &&
      attributeCondition === `assertion.sub == '${token.subject}'`;
    if (!isRight)
      throw new Refusal(
        403,
        "unauthorized_client",
        "The given credential is rejected by the attribute condition.",
      );
    return {
      access_token: `federated ${token.subject}`,
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: 3599,
    };
  }

  async #azure(form: Form): Promise<object> {
    expect(form, {
      grant_type: /^client_credentials$/,
      client_id: /^[\w-]+$/,
      scope: /^https:\/\/\S+\/\.default$/,
      client_assertion_type: /^urn:ietf:params:oauth:client-assertion-type:jwt-bearer$/,
      client_assertion: /^[\w-]+\.[\w-]+\.[\w-]+$/,
    });
    const token = await this.#verified(form["client_assertion"], 401, "invalid_client");
    if (token.algorithm !== "RS256") throw new Refusal(401, "invalid_client", "AADSTS700027");
    const credentials = this.trust.applications?.[form["client_id"] ?? ""] ?? [];
    const isTrusted = credentials.some(
      ({ issuer, subject, audiences }) =>
        issuer === token.issuer &&
        subject === token.subject &&
        token.audiences.some((one) => audiences.includes(one)),
    );
    if (!isTrusted)
      throw new Refusal(
        401,
        "invalid_client",
        "AADSTS700213: No matching federated identity record found",
      );
    return {
      token_type: "Bearer",
      expires_in: 3599,
      ext_expires_in: 3599,
      access_token: `azure ${token.subject}`,
    };
  }

  async #verified(token = "", status: number, code: string): Promise<VerifiedToken> {
    try {
      return await this.#verify(token);
    } catch (err) {
      throw new Refusal(status, code, err instanceof Error ? err.message : "invalid");
    }
  }
}

type Form = Readonly<Record<string, string>>;

function formOf({ headers }: IncomingMessage, body: string): Form {
  if (!headers["content-type"]?.startsWith("application/x-www-form-urlencoded")) {
    throw new Refusal(400, "invalid_request", "a form is expected");
  }
  const fields = [...new URLSearchParams(body)];
  if (new Set(fields.map(([name]) => name)).size < fields.length) {
    throw new Refusal(400, "invalid_request", "a field is there twice");
  }
  return Object.fromEntries(fields);
}

/** Every field, each with its form, and no other. */
function expect(form: Form, fields: Readonly<Record<string, RegExp>>): void {
  for (const [name, pattern] of Object.entries(fields)) {
    if (!pattern.test(form[name] ?? ""))
      throw new Refusal(400, "invalid_request", `${name} is wrong`);
  }
  const strange = Object.keys(form).find((name) => !Object.hasOwn(fields, name));
  if (strange !== undefined) throw new Refusal(400, "invalid_request", `${strange} is unknown`);
}

function googleAccount({ headers }: IncomingMessage, path: string, body: string): object {
  const account = /serviceAccounts\/([^/]+):generateAccessToken$/.exec(path)?.[1];
  const { scope, lifetime } = JSON.parse(body) as { scope?: unknown; lifetime?: unknown };
  const isAsked = Array.isArray(scope) && scope.length > 0 && lifetime === "3600s";
  if (account === undefined || !isAsked || headers["content-type"] !== "application/json") {
    throw new Refusal(400, "INVALID_ARGUMENT", "request is malformed");
  }
  if (!headers.authorization?.startsWith("Bearer federated ")) {
    throw new Refusal(401, "UNAUTHENTICATED", "no federated token");
  }
  const accessToken = `account ${decodeURIComponent(account)}`;
  return { accessToken, expireTime: "2049-01-01T00:00:00Z" };
}

function awsAnswer(subject: string): string {
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>${subject}</SubjectFromWebIdentityToken>
    <Credentials>
      <SessionToken>session/&amp;+=</SessionToken>
      <SecretAccessKey>secret</SecretAccessKey>
      <Expiration>2049-01-01T00:00:00Z</Expiration>
      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
    </Credentials>
    <PackedPolicySize>0</PackedPolicySize>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>`;
}

function awsError(code: string, message: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>${code}</Code><Message>${message.replace(/[<&]/g, "")}</Message></Error>
  <RequestId>r1</RequestId>
</ErrorResponse>`;
}

function xml(status: number, body: string) {
  return { status, type: "text/xml", body };
}

function json(status: number, content: object) {
  return { status, type: "application/json; charset=utf-8", body: JSON.stringify(content) };
}
