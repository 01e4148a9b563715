import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  ConfirmRegistrarRequestSchema,
  ListRegistrarsRequestSchema,
  ReportRegistrarRequestSchema,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Status } from "../../../runtime/errors/status-error.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import { systemClock } from "../../../runtime/time/clock.ts";
import type { Caller } from "../caller.ts";
import { adminRegistrars } from "./admin-registrars.ts";

function contextOf(cluster: string): CallContext<Caller> {
  const grants = { roles: new Set(["registrar"] as const), registrar: { cluster } };
  const caller: Caller = { kind: "registrar", cluster, grants };
  return { caller } as CallContext<Caller>;
}

function report(cluster: string, holds: readonly string[] = []) {
  return create(ReportRegistrarRequestSchema, {
    report: { cluster, instance: "a", holds: holds.map((id) => ({ id, message: "m" })) },
  });
}

describe("the registrars' calls", () => {
  it("tell a registrar what was confirmed, and nobody else", async () => {
    const calls = adminRegistrars({ clock: systemClock });
    const east = contextOf("east");
    assert.deepEqual(await calls.reportRegistrar(report("east", ["h1"]), east), {
      confirmedHolds: [],
    });
    const request = create(ConfirmRegistrarRequestSchema, { cluster: "east" });
    await calls.confirmRegistrar(request, east);
    assert.deepEqual(await calls.reportRegistrar(report("east", ["h1", "h2"]), east), {
      confirmedHolds: ["h1"],
    });
    const west = await calls.reportRegistrar(report("west", ["h1"]), contextOf("west"));
    assert.deepEqual(west, { confirmedHolds: [] });
    const { registrars = [] } = await calls.listRegistrars(
      create(ListRegistrarsRequestSchema),
      east,
    );
    assert.deepEqual(
      registrars.map(({ cluster }) => cluster),
      ["east", "west"],
    );
  });

  it("refuse a report about another cluster, and a confirmation of nothing", async () => {
    const calls = adminRegistrars({ clock: systemClock });
    await assert.rejects(calls.reportRegistrar(report("west"), contextOf("east")), {
      code: Status.PERMISSION_DENIED,
    });
    const request = create(ConfirmRegistrarRequestSchema, { cluster: "east" });
    await assert.rejects(calls.confirmRegistrar(request, contextOf("east")), {
      code: Status.NOT_FOUND,
    });
  });
});
