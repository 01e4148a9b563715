// A running server, seen from the network.

import type { KeyObject } from "node:crypto";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import type { NameParts } from "../../spiffe/x509/distinguished-name.ts";
import { openTls, pem } from "./bare-agent.ts";
import type { Machine } from "./machine.ts";
import { TestAuthority } from "./test-ca.ts";

/** A private key and the chain that goes with it. */
export interface Identity {
  readonly privateKey: KeyObject;
  readonly chain: readonly Uint8Array[];
}

/** A connection to the server's TCP port, as somebody or as nobody. */
export class NetworkClient implements Disposable {
  readonly #channel: ReturnType<typeof openTls>;

  private constructor(channel: ReturnType<typeof openTls>) {
    this.#channel = channel;
  }

  static async open(machine: Machine, identity?: Identity): Promise<NetworkClient> {
    const roots = pem(await authorities(machine));
    const address = `127.0.0.1:${machine.local.port}`;
    return new NetworkClient(openTls(address, roots, identity?.privateKey, identity?.chain));
  }

  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#channel);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}

/** The X.509 authorities that the server's bundle has, as DER. */
export async function authorities(machine: Machine): Promise<readonly Uint8Array[]> {
  const bundle = await machine.local.server.client(Bundle).getBundle({}, machine.call);
  return bundle.x509Authorities.map(({ asn1 }) => asn1);
}

/**
 * A CA that signs with the key of the server's own authority, in its name: its certificates are verified, whatever is in them, as
 * if the server had issued them.
 */
export async function authorityOf(machine: Machine): Promise<TestAuthority> {
  const [der] = await authorities(machine);
  if (der === undefined) throw new Error("the bundle has no authority");
  const { publicKey } = Certificate.parse(der);
  const privateKey = await keyOf(machine, publicKey);
  const subject = subjectOf(der);
  return TestAuthority.root({ subject, key: { publicKey, privateKey } });
}

async function keyOf(machine: Machine, wanted: KeyObject): Promise<KeyObject> {
  const folder = join(machine.local.layout.serverData, "keys");
  for (const name of await readdir(folder)) {
    const key = createPrivateKey(await readFile(join(folder, name)));
    if (createPublicKey(key).equals(wanted)) return key;
  }
  throw new Error("the authority's key is not on disk");
}

function subjectOf(der: Uint8Array): NameParts {
  const { subject } = new X509Certificate(der);
  const serialNumber = /^serialNumber=(\d+)$/m.exec(subject)?.[1];
  if (serialNumber === undefined) throw new Error(`unexpected name of the authority: ${subject}`);
  return { country: "US", organization: "Assay", serialNumber };
}
