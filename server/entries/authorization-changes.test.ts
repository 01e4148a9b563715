import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { authorizedEntry, selector } from "../../test/support/entries.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { AttestedAgent } from "./attested-agents.ts";
import {
  type AgentChanges,
  AuthorizationChanges,
  type AuthorizationStep,
} from "./authorization-changes.ts";
import { AuthorizationState } from "./authorization-state.ts";

const SERVER = "spiffe://example.test/spire/server";
const AGENTS = ["a1", "a2", "a3"].map((name) => `spiffe://example.test/spire/agent/${name}`);
const PLACES = ["p1", "p2", "p3", "p4"].map((name) => `spiffe://example.test/${name}`);
const SELECTORS = ["x:1", "y:2", "z:3"].map(selector);

// A small world, so that cycles, shared IDs, aliases and moves come up all the time.
const entryArbitrary = fc
  .record({
    id: fc.constantFrom("e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"),
    parentId: fc.constantFrom(SERVER, ...AGENTS, ...PLACES),
    spiffeId: fc.constantFrom(...PLACES, "spiffe://example.test/workload"),
    selectors: fc.subarray(SELECTORS, { minLength: 1 }),
    revisionNumber: fc.nat({ max: 1000 }),
  })
  .map(({ id, ...fields }) => authorizedEntry(id, fields));

const stepArbitrary: fc.Arbitrary<AuthorizationStep> = fc.oneof(
  {
    weight: 4,
    arbitrary: entryArbitrary.map((after) => ({ kind: "entry" as const, id: after.id, after })),
  },
  {
    weight: 2,
    arbitrary: entryArbitrary.map(({ id }) => ({ kind: "entry" as const, id })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        id: fc.constantFrom(...AGENTS),
        selectors: fc.subarray(SELECTORS),
        banned: fc.boolean(),
      })
      .map((after) => ({ kind: "agent" as const, id: after.id, after })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...AGENTS).map((id) => ({ kind: "agent" as const, id })),
  },
);

const commitsArbitrary = fc.array(fc.array(stepArbitrary, { minLength: 1, maxLength: 4 }), {
  maxLength: 25,
});

/** The rules once more, as plainly as they can be said. */
class Model {
  readonly entries = new Map<string, AuthorizedEntryRecord>();
  readonly agents = new Map<string, AttestedAgent>();

  apply(step: AuthorizationStep): void {
    if (step.kind === "entry") {
      if (step.after === undefined) this.entries.delete(step.id);
      else this.entries.set(step.id, step.after);
    } else if (step.after === undefined) this.agents.delete(step.id);
    else this.agents.set(step.id, step.after);
  }

  entriesOf(agentId: string): Map<string, AuthorizedEntryRecord> {
    const agent = this.agents.get(agentId);
    if (agent?.banned === true) return new Map();
    const has = new Set(agent?.selectors);
    const reached = new Set([agentId]);
    for (const entry of this.entries.values()) {
      const isAlias = entry.parentId === SERVER && entry.selectors.every((one) => has.has(one));
      if (isAlias) reached.add(entry.spiffeId);
    }
    for (let size = 0; size !== reached.size; ) {
      size = reached.size;
      for (const { parentId, spiffeId } of this.entries.values()) {
        if (reached.has(parentId)) reached.add(spiffeId);
      }
    }
    return new Map([...this.entries].filter(([, entry]) => reached.has(entry.parentId)));
  }
}

function byId(entries: Iterable<AuthorizedEntryRecord>): Record<string, AuthorizedEntryRecord> {
  return Object.fromEntries([...entries].map((entry) => [entry.id, entry] as const).toSorted());
}

function applyCommit(
  state: AuthorizationState,
  steps: readonly AuthorizationStep[],
): Map<string, AgentChanges> {
  const changes = new AuthorizationChanges(state, () => true);
  for (const step of steps) changes.apply(step);
  return new Map(changes.result());
}

describe("AuthorizationChanges", () => {
  it("leaves the state that the rules ask for, whatever came before", () => {
    fc.assert(
      fc.property(commitsArbitrary, (commits) => {
        const state = new AuthorizationState(SERVER);
        const model = new Model();
        for (const steps of commits) {
          applyCommit(state, steps);
          for (const step of steps) model.apply(step);
        }
        for (const agentId of AGENTS) {
          const expected = byId(model.entriesOf(agentId).values());
          const actual = [...state.entriesOf(agentId)].map((entry) => entry.toRecord());
          assert.deepEqual(byId(actual), expected);
          for (const entryId of model.entries.keys()) {
            const found = state.find(agentId, entryId)?.toRecord();
            assert.deepEqual(found, expected[entryId]);
          }
        }
      }),
      { seed: 7, numRuns: 400 },
    );
  });

  it("tells of each commit exactly what it changed for each agent", () => {
    fc.assert(
      fc.property(commitsArbitrary, (commits) => {
        const state = new AuthorizationState(SERVER);
        const model = new Model();
        for (const steps of commits) {
          const before = AGENTS.map((agentId) => model.entriesOf(agentId));
          const digests = AGENTS.map((agentId) => state.digest(agentId));
          const told = applyCommit(state, steps);
          for (const step of steps) model.apply(step);
          for (const [index, agentId] of AGENTS.entries()) {
            const was = before[index] ?? new Map();
            const is = model.entriesOf(agentId);
            const changes = told.get(agentId);
            const removed = [...was.keys()].filter((id) => !is.has(id));
            // An entry that was written again counts as changed, also when nothing in it is new.
            const written = new Set(
              steps.filter(({ kind }) => kind === "entry").map(({ id }) => id),
            );
            const upserted = [...is.values()].filter(({ id }) => !was.has(id) || written.has(id));
            assert.deepEqual(changes?.removed.toSorted() ?? [], removed.toSorted());
            assert.deepEqual(byId(changes?.upserted ?? []), byId(upserted));
            if (changes?.reachChanged !== true) {
              assert.deepEqual(state.digest(agentId), digests[index]);
            }
          }
        }
      }),
      { seed: 11, numRuns: 400 },
    );
  });

  it("answers with the digest of the state, not of its history", () => {
    fc.assert(
      fc.property(commitsArbitrary, (commits) => {
        const state = new AuthorizationState(SERVER);
        const model = new Model();
        for (const step of commits.flat()) {
          applyCommit(state, [step]);
          model.apply(step);
        }
        const fresh = new AuthorizationState(SERVER);
        for (const entry of model.entries.values()) fresh.putEntry(entry);
        for (const agent of model.agents.values()) fresh.putAgent(agent);
        for (const agentId of AGENTS) {
          assert.deepEqual(state.digest(agentId), fresh.digest(agentId));
        }
      }),
      { seed: 13, numRuns: 200 },
    );
  });

  it("does no work for agents that nobody watches", () => {
    const state = new AuthorizationState(SERVER);
    const asked: string[] = [];
    const changes = new AuthorizationChanges(state, (agentId) => {
      asked.push(agentId);
      return false;
    });
    const [agentId = ""] = AGENTS;
    const after = authorizedEntry("e", { parentId: agentId });
    changes.apply({ kind: "entry", id: "e", after });
    assert.deepEqual([...changes.result()], []);
    assert.deepEqual(asked, [agentId]);
    assert.equal(state.find(agentId, "e")?.id, "e");
  });
});
