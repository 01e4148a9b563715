import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import { SpiffeError } from "../../../spiffe/error.ts";
import { SpiffeId, type TrustDomain } from "../../../spiffe/id/spiffe-id.ts";
import { PLACEHOLDER } from "../../config/agent-path-template.ts";

/** What a template for an agent's path may take from the node's certificate. */
export interface PathFacts {
  /** SHA-1 of the certificate, lower-case hexadecimal. */
  readonly fingerprint: string;
  /** The certificate's serial number, lower-case hexadecimal. */
  readonly serial: string;
  /** The subject's common name. */
  readonly cn?: string | undefined;
  /** In spiffe mode, the path of the certificate's SPIFFE ID without the prefix. */
  readonly path?: string | undefined;
}

/**
 * The agent's ID from the template: `/spire/agent` and the filled-in path. What comes from the certificate must fit into one
 * segment of the path, except for {path}: a name with a slash must not become another node's ID.
 *
 * @throws {StatusError} INVALID_ARGUMENT when the certificate lacks something or the result is no SPIFFE ID
 */
export function agentIdFromTemplate(
  trustDomain: TrustDomain,
  template: string,
  facts: PathFacts,
): SpiffeId {
  const path = template.replace(PLACEHOLDER, (_, name: keyof PathFacts) => {
    const value = facts[name];
    if (value === undefined || value === "") {
      throw invalidArgument(`certificate: no ${name} for the agent's ID`);
    }
    if (name !== "path" && value.includes("/")) {
      throw invalidArgument(`certificate: the ${name} does not fit into the agent's ID`);
    }
    return value;
  });
  try {
    return SpiffeId.fromPath(trustDomain, `/spire/agent${path}`);
  } catch (err) {
    if (!(err instanceof SpiffeError)) throw err;
    throw invalidArgument("certificate: its names do not make a valid agent ID", { cause: err });
  }
}
