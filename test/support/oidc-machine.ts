// A machine whose server is an OIDC provider, for verifiers that know nothing of SPIFFE.

import { writeFile } from "node:fs/promises";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { freePort } from "../../deploy/local/free-port.ts";
import { registerUser } from "../../deploy/local/user-entry.ts";
import type { JwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import { JwtSource } from "../../spiffe/workloadapi/jwt-source.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { pemOf, webAuthority, webCertificate } from "./foreign-endpoint.ts";
import { Machine } from "./machine.ts";
import { TempDir } from "./temp-dir.ts";

/** An audience whose tokens are RS256, as Azure wants them. */
export const RS256_AUDIENCE = "api://AzureADTokenExchange";

/** The authority of the provider's certificate, in PEM. */
export const webCa: string = formatPem("CERTIFICATE", webAuthority.der);

/** A server with OIDC discovery on loopback, an agent, and this process as their workload. */
export class OidcMachine implements AsyncDisposable {
  readonly machine: Machine;
  readonly dir: TempDir;
  readonly issuer: string;
  /** This process's SPIFFE ID. */
  readonly id: string;
  readonly #source: JwtSource;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<OidcMachine, "machine" | "dir" | "issuer" | "id">,
    source: JwtSource,
    stack: AsyncDisposableStack,
  ) {
    this.machine = parts.machine;
    this.dir = parts.dir;
    this.issuer = parts.issuer;
    this.id = parts.id;
    this.#source = source;
    this.#stack = stack;
  }

  static async start(): Promise<OidcMachine> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await TempDir.open());
    const files = await writeWebCertificate(dir);
    const port = await freePort(0);
    const issuer = `https://localhost:${port}`;
    const server = {
      ca: { jwtIssuer: issuer, jwtKeyTypes: ["ec-p256", "rsa-2048"] },
      jwt: { audiences: { [RS256_AUDIENCE]: { algorithm: "RS256" } } },
      oidc: { listen: { type: "https", address: "127.0.0.1", port, ...files } },
    };
    const machine = stack.use(await Machine.start({ server }));
    const id = await registerUser(machine.local, machine.signal);
    const address = `unix://${machine.local.layout.workloadSocket}`;
    const source = stack.use(await JwtSource.open({ address, signal: machine.signal }));
    return new OidcMachine({ machine, dir, issuer, id }, source, stack.move());
  }

  /** A JWT-SVID of this process. */
  token(audience: string): Promise<JwtSvid> {
    return this.#source.jwtSvid({ audience });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Writes a certificate for localhost, and its authority as ca.pem. */
export async function writeWebCertificate(
  dir: TempDir,
): Promise<{ readonly certFile: string; readonly keyFile: string }> {
  const { cert, key } = pemOf(webCertificate());
  const files = { certFile: dir.join("tls.crt"), keyFile: dir.join("tls.key") };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key, { mode: 0o600 });
  await writeFile(dir.join("ca.pem"), webCa);
  return files;
}

/** As fetch, for servers whose certificate is of {@link webAuthority}. */
export async function webFetch(
  url: string | URL | Request,
  options: { readonly headers?: unknown; readonly method?: string; readonly body?: unknown } = {},
): Promise<Response> {
  const target = url instanceof Request ? url.url : url;
  const headers = Object.fromEntries(new Headers(options.headers as Headers | undefined));
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const { method = "GET", body: content } = options;
  const outgoing = request(target, { ca: webCa, headers, method, agent: false }, (answer) => {
    const heads = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    );
    const { statusCode: status = 0 } = answer;
    text(answer).then((body) => {
      resolve(new Response(status === 304 ? null : body, { status, headers: heads }));
    }, reject);
  });
  outgoing.on("error", reject);
  outgoing.end(typeof content === "string" ? content : undefined);
  return promise;
}
