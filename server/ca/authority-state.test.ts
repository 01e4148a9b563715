import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AuthorityLife, type AuthorityStep, nextStep } from "./authority-state.ts";

const DAY_MS = 86_400_000;
const start = new Date("2026-03-01T00:00:00Z");
const day = (days: number): Date => new Date(start.getTime() + days * DAY_MS);

/** An authority of six days from a day on: the next is due after three days, and takes over after five. */
function life(id: string, state: AuthorityLife["state"], from: number): AuthorityLife {
  return { id, state, notBefore: day(from), notAfter: day(from + 6), hasKey: true };
}

const active = life("a", "active", 0);
const cases: readonly {
  readonly name: string;
  readonly have: readonly AuthorityLife[];
  readonly at: number;
  readonly isClockSteady?: boolean;
  readonly step?: AuthorityStep;
}[] = [
  { name: "prepares the first", have: [], at: 0, step: { kind: "prepare" } },
  {
    name: "activates the first at once",
    have: [life("a", "prepared", 0)],
    at: 0,
    step: { kind: "activate", id: "a" },
  },
  { name: "leaves a young authority alone", have: [active], at: 2.99 },
  { name: "prepares at half of the life", have: [active], at: 3, step: { kind: "prepare" } },
  { name: "prepares one and not two", have: [active, life("b", "prepared", 3)], at: 4.99 },
  {
    name: "activates when a sixth is left",
    have: [active, life("b", "prepared", 3)],
    at: 5,
    step: { kind: "activate", id: "b" },
  },
  {
    name: "makes the next at once when none was prepared in time",
    have: [active],
    at: 5.5,
    step: { kind: "prepare" },
  },
  { name: "replaces an expired authority", have: [active], at: 6, step: { kind: "prepare" } },
  {
    name: "does not activate what has expired itself",
    have: [active, life("b", "prepared", 0)],
    at: 6,
    step: { kind: "prepare" },
  },
  {
    name: "replaces an authority whose key is missing",
    have: [{ ...active, hasKey: false }],
    at: 1,
    step: { kind: "prepare" },
  },
  {
    name: "does not activate what has no key",
    have: [active, { ...life("b", "prepared", 3), hasKey: false }],
    at: 5,
    step: { kind: "prepare" },
  },
  {
    name: "makes another when the clock went back before its beginning",
    have: [active],
    at: -1,
    step: { kind: "prepare" },
  },
  { name: "bears with a clock that is a minute behind", have: [active], at: -30 / 86_400 },
  {
    name: "forgets a day after the end",
    have: [life("z", "old", -6), active],
    at: 1,
    step: { kind: "forget", id: "z" },
  },
  { name: "forgets nothing before", have: [life("z", "old", -6), active], at: 0.99 },
  {
    name: "forgets nothing while the clock is not steady",
    have: [life("z", "old", -6), active],
    at: 1,
    isClockSteady: false,
  },
  {
    name: "forgets tainted and revoked ones too",
    have: [life("z", "revoked", -6), active],
    at: 1,
    step: { kind: "forget", id: "z" },
  },
];

describe("nextStep", () => {
  for (const { name, have, at, isClockSteady = true, step } of cases) {
    it(name, () => {
      assert.deepEqual(nextStep(have, day(at), isClockSteady), step);
    });
  }
});
