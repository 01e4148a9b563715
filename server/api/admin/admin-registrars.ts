/** What the registrars say about themselves, and what people let them do. */
import { create } from "@bufbuild/protobuf";
import { checkCount, decodeText, requireField } from "../../../proto/convert/field.ts";
import {
  type Admin,
  type RegistrarReport,
  RegistrarReportSchema,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { notFound, permissionDenied } from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { type Caller, grantsOfCaller } from "../caller.ts";

type RegistrarCalls = "reportRegistrar" | "listRegistrars" | "confirmRegistrar";

const MAX_NAME_BYTES = 253;
const MAX_MESSAGE_BYTES = 2048;
const MAX_HOLDS = 64;
/** Most registrars that are remembered, the newest of them. */
const MAX_REPORTS = 256;

/** Keeps what registrars reported last. A restart forgets it, and they report again within seconds. */
export function adminRegistrars({
  clock,
}: {
  readonly clock: Clock;
}): Pick<Handlers<typeof Admin, Caller>, RegistrarCalls> {
  const reports = new Map<string, RegistrarReport>();
  const confirmed = new Map<string, Set<string>>();
  return {
    reportRegistrar: async ({ report }, { caller }) => {
      const checked = checkReport(requireField("report", report));
      const { cluster: own } = grantsOfCaller(caller).registrar;
      if (own !== undefined && own !== checked.cluster) {
        throw permissionDenied("the registrar is bound to another cluster", {
          reason: "origin_outside_scope",
        });
      }
      const key = `${checked.cluster} ${checked.instance}`;
      reports.delete(key);
      reports.set(
        key,
        create(RegistrarReportSchema, {
          ...checked,
          reportedAtMs: BigInt(clock.now().getTime()),
        }),
      );
      for (const oldest of reports.keys()) {
        if (reports.size <= MAX_REPORTS) break;
        reports.delete(oldest);
      }
      const wanted = confirmed.get(checked.cluster);
      const confirmedHolds = checked.holds.map(({ id }) => id).filter((id) => wanted?.has(id));
      return { confirmedHolds };
    },

    listRegistrars: async () => ({
      registrars: [...reports.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1)),
    }),

    confirmRegistrar: async ({ cluster, holdIds }) => {
      const holds = [...reports.values()]
        .filter((report) => report.cluster === cluster)
        .flatMap((report) => report.holds)
        .filter(({ id }) => holdIds.length === 0 || holdIds.includes(id));
      if (holds.length === 0) {
        throw notFound("no registrar of this cluster holds anything", { reason: "no_hold" });
      }
      confirmed.set(cluster, new Set(holds.map(({ id }) => id)));
      return { confirmed: holds };
    },
  };
}

function checkReport(report: RegistrarReport): RegistrarReport {
  decodeText("report.cluster", report.cluster, { maxBytes: MAX_NAME_BYTES, required: true });
  decodeText("report.instance", report.instance, { maxBytes: MAX_NAME_BYTES, required: true });
  decodeText("report.cluster_uid", report.clusterUid, { maxBytes: MAX_NAME_BYTES });
  checkCount("report.holds", report.holds, MAX_HOLDS);
  for (const [index, hold] of report.holds.entries()) {
    const field = `report.holds[${index}]`;
    decodeText(`${field}.id`, hold.id, { maxBytes: MAX_NAME_BYTES, required: true });
    decodeText(`${field}.reason`, hold.reason, { maxBytes: MAX_NAME_BYTES });
    decodeText(`${field}.message`, hold.message, { maxBytes: MAX_MESSAGE_BYTES });
  }
  return report;
}
