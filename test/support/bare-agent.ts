import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";

/** Whoever can call a server's services as its administrator. */
export interface Administrator {
  client<S extends DescService>(service: S): Client<S>;
}

/** Where an agent attests. */
export interface BareAgentOptions {
  readonly admin: Administrator;
  /** "host:port" of the server. */
  readonly address: string;
  readonly trustDomain: string;
  readonly signal: AbortSignal;
  /** What it proves its node with; a fresh join token unless given. */
  readonly evidence?: Evidence;
}

/** What an agent attests with: the type of attestation, and the first payload. */
export interface Evidence {
  readonly type: string;
  readonly payload: Uint8Array;
}

const timeoutMs = 30_000;

/**
 * An agent that consists of nothing but its SVID and a connection: attested over the network, it calls what agents may call
 * when a test or a measurement says so.
 */
export class BareAgent implements Disposable {
  /** Path of its SPIFFE ID. */
  readonly path: string;
  readonly #channel: ReturnType<typeof openChannel>;

  private constructor(path: string, channel: ReturnType<typeof openChannel>) {
    this.path = path;
    this.#channel = channel;
  }

  /** @throws {StatusError} what the server refused with */
  static async attest(options: BareAgentOptions): Promise<BareAgent> {
    const { admin, address, trustDomain, signal } = options;
    const call = { signal, timeoutMs };
    const bundle = await admin.client(Bundle).getBundle({}, call);
    const roots = pem(bundle.x509Authorities.map(({ asn1 }) => asn1));
    const evidence = options.evidence ?? (await joinToken(options));
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    // The server decides which ID it is.
    const spiffeId = SpiffeId.parse(`spiffe://${trustDomain}/spire/agent/${evidence.type}/new`);
    const csr = createCsr({ privateKey, spiffeId });
    const anonymous = openTls(address, roots);
    try {
      const svid = await attestOnce(createClient(Agent, anonymous), evidence, csr, signal);
      return new BareAgent(svid.path, openTls(address, roots, privateKey, svid.chain));
    } finally {
      anonymous.close();
    }
  }

  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#channel);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}

async function joinToken({ admin, signal }: BareAgentOptions): Promise<Evidence> {
  const { value } = await admin.client(Agent).createJoinToken({ ttl: 600 }, { signal, timeoutMs });
  return { type: "join_token", payload: new TextEncoder().encode(value) };
}

async function attestOnce(
  agent: Client<typeof Agent>,
  evidence: Evidence,
  csr: Uint8Array,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly chain: readonly Uint8Array[] }> {
  const params = { data: evidence, params: { csr } };
  async function* steps() {
    yield { step: { case: "params" as const, value: params } };
  }
  for await (const { step } of agent.attestAgent(steps(), { signal, timeoutMs })) {
    if (step.case !== "result") throw new Error(`unexpected ${step.case ?? "empty"} step`);
    const { svid } = step.value;
    return { path: svid?.id?.path ?? "", chain: svid?.certChain ?? [] };
  }
  throw new Error("attestation ended without a result");
}

/** A channel over TLS to a server of ours, as whoever holds `key` and `chain`, or as nobody. */
export function openTls(
  address: string,
  roots: string,
  key?: KeyObject,
  chain: readonly Uint8Array[] = [],
): ReturnType<typeof openChannel> {
  const keyPem = key?.export({ type: "pkcs8", format: "pem" }).toString();
  const tls = credentials.createSsl(
    Buffer.from(roots),
    keyPem === undefined ? null : Buffer.from(keyPem),
    keyPem === undefined ? null : Buffer.from(pem(chain)),
    // A server's certificate names a SPIFFE ID and no host.
    { checkServerIdentity: () => undefined },
  );
  const options = {
    // Nor may an address stand where TLS wants a name.
    "grpc.ssl_target_name_override": "server.invalid",
    // Servers are killed and started here: whoever calls wants to know at once whether it is back.
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 50,
  };
  return openChannel({ target: address, credentials: tls, options });
}

/** PEM of certificates given as DER. */
export function pem(certificates: readonly Uint8Array[]): string {
  return certificates.map((der) => formatPem("CERTIFICATE", der)).join("");
}
