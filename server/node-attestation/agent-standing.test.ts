import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AgentOnRecord, type AgentStanding, judgeAgent } from "./agent-standing.ts";

const now = new Date("2026-01-01T12:00:00Z");
const later = new Date("2026-01-02T00:00:00Z");
const record: AgentOnRecord = { banned: false, serialNumber: "aa", nextSerialNumber: "bb" };

describe("judgeAgent", () => {
  const cases: readonly {
    name: string;
    record?: AgentOnRecord;
    serial: string;
    notAfter?: Date;
    standing: AgentStanding;
  }[] = [
    { name: "the certificate on record", record, serial: "aa", standing: "current" },
    { name: "a renewed certificate at its first use", record, serial: "bb", standing: "next" },
    { name: "any other certificate", record, serial: "cc", standing: "superseded" },
    {
      name: "another certificate that has also run out",
      record,
      serial: "cc",
      notAfter: now,
      standing: "superseded",
    },
    { name: "no record", serial: "aa", standing: "unknown" },
    {
      name: "a certificate at the instant of its end",
      record,
      serial: "aa",
      notAfter: now,
      standing: "expired",
    },
    {
      name: "a ban, before anything else",
      record: { ...record, banned: true },
      serial: "cc",
      notAfter: now,
      standing: "banned",
    },
  ];
  for (const { name, record, serial, notAfter = later, standing } of cases) {
    it(`${name}: ${standing}`, () => {
      assert.equal(judgeAgent(record, { serialNumber: serial, notAfter }, now), standing);
    });
  }
});
