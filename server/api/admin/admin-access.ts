/** Whether somebody may do something, without doing it: one call of assay.admin.v1. */

import { parseField } from "../../../proto/convert/field.ts";
import type { Admin } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import type { Grants } from "../../config/roles.ts";
import { decideEntryWrite } from "../../policy/entry-access.ts";
import { decideAccess } from "../access.ts";
import { type Caller, grantsOfCaller } from "../caller.ts";
import { METHOD_POLICIES, type MethodPolicy } from "../methods.ts";

export interface AdminAccessDeps {
  /** The roles that the configuration gives to a user on the admin socket, and to an identity. */
  readonly grantsOfUid: (uid: number) => Grants;
  readonly grantsOfId: (id: SpiffeId) => Grants;
}

export function adminAccess(
  deps: AdminAccessDeps,
): Pick<Handlers<typeof Admin, Caller>, "checkAccess"> {
  return {
    checkAccess: async ({ who, verb, what }, { caller }) => {
      const asked = who === "" ? caller : readCaller(who, deps);
      const { method, policy } = findMethod(verb);
      const grants = grantsOfCaller(asked);
      const roles = [...grants.roles];
      const decision = decideAccess(asked, policy);
      if (!decision.allowed) {
        const { reason: reasonCode, message: explanation } = decision;
        return { allowed: false, reasonCode, explanation, roles };
      }
      const aboutEntry = what !== "" && decision.by === "registrar" ? what : undefined;
      if (aboutEntry !== undefined) {
        const { path } = parseField("what", () => SpiffeId.parse(aboutEntry));
        const scoped = decideEntryWrite(grants, {
          spiffeId: { path },
          // Only the ID was asked about: a parent and an origin that the scope allows are taken for granted.
          parentId: { path: "" },
          admin: false,
          downstream: false,
          originCluster: grants.registrar.cluster,
        });
        if (!scoped.allowed && scoped.reasonCode !== "parent_outside_scope") {
          const { reasonCode, message: explanation } = scoped;
          return { allowed: false, reasonCode, explanation, roles };
        }
      }
      return {
        allowed: true,
        reasonCode: "ok",
        explanation: `${method} is allowed to ${decision.by}`,
        roles,
      };
    },
  };
}

/** Reads "uid:1000", "anonymous" or a SPIFFE ID; agents are asked about by an ID under /spire/agent. */
function readCaller(who: string, { grantsOfUid, grantsOfId }: AdminAccessDeps): Caller {
  const address = "";
  if (who === "anonymous") return { kind: "anonymous", address };
  const uid = /^uid:(\d{1,10})$/.exec(who)?.[1];
  if (uid !== undefined) {
    return { kind: "local", uid: Number(uid), gid: -1, pid: 0, grants: grantsOfUid(Number(uid)) };
  }
  const id = parseField("who", () => SpiffeId.parse(who));
  if (id.path.startsWith("/spire/agent/")) {
    const serialNumber = "";
    return {
      kind: "agent",
      id: who,
      serialNumber,
      publicKeyHash: "",
      standing: "current",
      address,
    };
  }
  return { kind: "identity", id: who, serialNumber: "", address, grants: grantsOfId(id) };
}

/** A method by its full name, or by the last parts of it: "entry.BatchCreateEntry". */
function findMethod(verb: string): { method: string; policy: MethodPolicy } {
  const wanted = verb.replace(/^\//, "").replaceAll("/", ".").toLowerCase();
  const found = [...METHOD_POLICIES].filter(([path]) => {
    const name = path.slice(1).replace("/", ".").toLowerCase();
    return name === wanted || name.endsWith(`.${wanted}`);
  });
  const [first, ...others] = found;
  if (wanted === "" || first === undefined) {
    throw invalidArgument("verb: no such method; for example entry.BatchCreateEntry", {
      reason: "unknown_method",
    });
  }
  if (others.length > 0) {
    const names = found.map(([path]) => path).join(", ");
    throw invalidArgument(`verb: more than one method has that name: ${names}`, {
      reason: "ambiguous_method",
    });
  }
  const [method, policy] = first;
  return { method, policy };
}
