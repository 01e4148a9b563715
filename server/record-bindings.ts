import type { AuditCredential } from "../proto/audit/v1/record.ts";
import type { Binding } from "../proto/gen/assay/sync/v1/sync_pb.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import type { EntryUsage } from "./svid/entry-usage.ts";

const MAX_TEXT = 512;

/**
 * Records which instance took which credential, as its agent reports it (D11): so that a serial number names a pod, and an entry
 * says when it was last of use.
 */
export function recordBindings(
  deps: { readonly audit: Pick<AuditLog, "event">; readonly usage: Pick<EntryUsage, "delivered"> },
  agentId: string,
  bindings: readonly Binding[],
): void {
  if (bindings.length === 0) return;
  for (const { entryId, boundAtMs } of bindings) {
    deps.usage.delivered(entryId, new Date(Number(boundAtMs)));
  }
  deps.audit.event({
    action: "svid.bind",
    actors: [{ kind: "node", id: agentId, podUid: null, node: null }],
    batch: bindings.map(({ credential, entryId, instance, executable, boundAtMs }) => ({
      credential: credentialOf(credential.slice(0, MAX_TEXT)),
      details: {
        entryId: entryId.slice(0, MAX_TEXT),
        instance: instance.slice(0, MAX_TEXT),
        executable: executable.slice(0, MAX_TEXT),
        boundAt: new Date(Number(boundAtMs)).toISOString(),
      },
    })),
  });
}

// The agent names the credential and nothing else of it; the record of its issuance has the rest.
function credentialOf(name: string): AuditCredential {
  const isSerial = /^[0-9a-f]+$/.test(name);
  return {
    kind: isSerial ? "x509" : "jwt",
    issuer: "",
    serial: isSerial ? name : null,
    jti: isSerial ? null : name,
    audience: [],
    expiry: "",
  };
}
