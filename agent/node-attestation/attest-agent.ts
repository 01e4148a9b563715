import type { KeyObject } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Agent,
  type AttestAgentRequestSchema,
} from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import type { Link } from "../connection/link.ts";
import { Outbox } from "../connection/outbox.ts";
import type { NodeAttestor } from "./node-attestor.ts";

/** A whole attestation, challenges and all, takes no longer. */
const ATTEST_TIMEOUT_MS = 30_000;
/** No method of ours needs more than one. */
const MAX_CHALLENGES = 4;

/** What an attested node gets, once. */
export interface AttestedNode {
  /** Leaf first, each ASN.1 DER. */
  readonly chainDer: readonly Uint8Array[];
  readonly reattestable: boolean;
}

/**
 * Proves this node to the server at the other end of a link without identity, and asks for a certificate for `key`.
 *
 * @throws {StatusError} what the server answered
 * @throws {Error} when the server's answers make no sense, or the attestor cannot answer its challenge
 */
export async function attestAgent(o: {
  readonly link: Link;
  readonly attestor: NodeAttestor;
  readonly payload: Uint8Array;
  readonly key: KeyObject;
  readonly signal: AbortSignal;
}): Promise<AttestedNode> {
  const requests = new Outbox<MessageInitShape<typeof AttestAgentRequestSchema>>();
  const data = { type: o.attestor.type, payload: o.payload };
  const params = { csr: createCsr({ privateKey: o.key }) };
  requests.push({ step: { case: "params", value: { data, params } } });
  return o.link.use(Agent, async (client) => {
    let challenges = 0;
    const options = { signal: o.signal, timeoutMs: ATTEST_TIMEOUT_MS };
    for await (const { step } of client.attestAgent(requests, options)) {
      if (step.case === "result") {
        requests.close();
        const chainDer = (step.value.svid?.certChain ?? []).map((der) => der.slice());
        return { chainDer, reattestable: step.value.reattestable };
      }
      challenges += 1;
      if (step.case !== "challenge" || challenges > MAX_CHALLENGES) {
        throw new Error("attestation: the server asks for what no method of ours knows");
      }
      const value = await o.attestor.answer(step.value);
      requests.push({ step: { case: "challengeResponse", value } });
    }
    throw new Error("attestation: the server ended the stream without a result");
  });
}

/** Asks for the trust domain's bundle; needs no identity. @throws {StatusError} */
export function fetchBundle(link: Link, signal: AbortSignal): Promise<WireBundle> {
  return link.use(Bundle, (client) => client.getBundle({}, { signal, timeoutMs: 10_000 }));
}
