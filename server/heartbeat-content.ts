import { create } from "@bufbuild/protobuf";
import {
  AuditHeadSchema,
  CursorSchema,
  type ServerHeartbeat,
} from "../proto/gen/assay/sync/v1/sync_pb.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { Core } from "./open-core.ts";

/** What the server tells every agent with its sign of life: where it stands, its time, and the head of its audit chain. */
export function heartbeatContent(
  { store, authorization, epoch, audit }: Core,
  clock: Clock,
): Omit<ServerHeartbeat, "$typeName" | "nextHeartbeatSeconds"> {
  const head = audit.head.value;
  return {
    cursor: create(CursorSchema, {
      incarnation: store.incarnation,
      revision: authorization.revision,
    }),
    revocationEpoch: epoch.value,
    serverTimeMs: BigInt(clock.now().getTime()),
    ...(head === undefined
      ? {}
      : {
          auditHead: create(AuditHeadSchema, {
            writer: head.writer,
            seq: BigInt(head.seq),
            hash: Buffer.from(head.hash, "hex"),
            timeMs: BigInt(head.time.getTime()),
            signature: head.signature,
            keyId: head.keyId,
          }),
        }),
  };
}
