import { internal } from "../../runtime/errors/status-error.ts";
import { type Grants, NO_GRANTS } from "../config/roles.ts";
import type { AgentStanding } from "../node-attestation/agent-standing.ts";

/**
 * Who makes a call, as the listener found out before any byte of the call was read: by the kernel on the admin socket, by a
 * verified certificate on the network. Nothing of it comes from what the caller says.
 */
export type Caller = LocalCaller | AgentCaller | IdentityCaller | RegistrarCaller | AnonymousCaller;

/** A process on this machine, through the admin socket. */
export interface LocalCaller {
  readonly kind: "local";
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Path of the executable where it could be read; for the audit, never for a decision. */
  readonly path?: string | undefined;
  readonly grants: Grants;
}

/** An agent, by its own SVID. */
export interface AgentCaller {
  readonly kind: "agent";
  readonly id: string;
  /** As Certificate.serialNumberHex. */
  readonly serialNumber: string;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo: the TLS handshake proved that the agent holds the key. */
  readonly publicKeyHash: string;
  readonly standing: AgentStanding;
  readonly address: string;
}

/** Any other identity, by an X509-SVID: an operator if roles are mapped to it, a nested server if an entry says so. */
export interface IdentityCaller {
  readonly kind: "identity";
  readonly id: string;
  readonly serialNumber: string;
  readonly address: string;
  readonly grants: Grants;
  /** The entry with the downstream flag that this identity was registered by. */
  readonly downstreamEntryId?: string | undefined;
}

/** The registrar of a cluster, inside of this process. */
export interface RegistrarCaller {
  readonly kind: "registrar";
  readonly cluster: string;
  readonly grants: Grants;
}

/** Somebody on the network without a certificate. */
export interface AnonymousCaller {
  readonly kind: "anonymous";
  readonly address: string;
}

/** The caller in one word for logs and the audit: "uid:1000", a SPIFFE ID, "registrar:east", or "anonymous". */
export function nameOfCaller(caller: Caller): string {
  switch (caller.kind) {
    case "local":
      return `uid:${caller.uid}`;
    case "agent":
    case "identity":
      return caller.id;
    case "registrar":
      return `registrar:${caller.cluster}`;
    case "anonymous":
      return "anonymous";
  }
}

/** The roles of a caller; agents and strangers have none. */
export function grantsOfCaller(caller: Caller): Grants {
  return "grants" in caller ? caller.grants : NO_GRANTS;
}

/** What rate limits are counted by. */
export function limitKeyOfCaller(caller: Caller): string {
  return caller.kind === "anonymous" ? `address:${caller.address}` : nameOfCaller(caller);
}

/** The agent that calls a method that only agents may call. @throws {StatusError} INTERNAL: the access table lets others in */
export function agentOf(caller: Caller): AgentCaller {
  if (caller.kind !== "agent") throw internal("only agents may get here");
  return caller;
}
