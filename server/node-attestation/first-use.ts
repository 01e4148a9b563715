import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { Store } from "../store/store.ts";
import type { AgentStanding } from "./agent-standing.ts";
import { hashJoinToken, joinTokenOfAgent } from "./join-token.ts";

/** An agent that makes a call, as far as its certificate goes. One object for each connection. */
export interface CallingAgent {
  readonly id: string;
  readonly serialNumber: string;
  readonly standing: AgentStanding;
}

/**
 * What the first use of a certificate brings about: a renewed one becomes the agent's certificate, and the token by which an agent
 * joined has done its work. Both show that the agent has what it was sent, which sending it did not.
 */
export class FirstUse {
  readonly #store: Pick<Store, "read" | "write">;
  readonly #log: Logger;
  readonly #finished = new WeakSet<CallingAgent>();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(deps: { readonly store: Pick<Store, "read" | "write">; readonly log: Logger }) {
    this.#store = deps.store;
    this.#log = deps.log;
  }

  /**
   * An agent in good standing makes a call. Never fails: a store that cannot be written to must not keep an agent away that may
   * call; what was not done now is done at the next call.
   */
  async seen(agent: CallingAgent): Promise<void> {
    if (agent.standing !== "next" && this.#finished.has(agent)) return;
    // Calls that come together wait for the same: it is done once.
    const key = `${agent.id} ${agent.serialNumber}`;
    const done =
      this.#underWay.get(key) ?? this.#record(agent).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, done);
    await done;
  }

  async #record(agent: CallingAgent): Promise<void> {
    try {
      if (agent.standing === "next") await this.#activate(agent);
      await this.#finishToken(agent);
      this.#finished.add(agent);
    } catch (err) {
      this.#log.warn(
        { agent_id: agent.id, reason: describeError(err) },
        "Could not record the first use of an agent's certificate",
      );
    }
  }

  async #activate({ id, serialNumber }: CallingAgent): Promise<void> {
    await this.#store.write("activateNodeRenewal", { id, serial: serialNumber });
    this.#log.info({ agent_id: id, serial_number: serialNumber }, "Agent uses its renewed SVID");
  }

  async #finishToken({ id }: CallingAgent): Promise<void> {
    const token = joinTokenOfAgent(SpiffeId.parse(id));
    if (token === undefined) return;
    const tokenHash = hashJoinToken(token);
    const found = await this.#store.read("getJoinToken", { tokenHash });
    if (found !== undefined) await this.#store.write("finishJoinToken", { tokenHash });
  }
}
