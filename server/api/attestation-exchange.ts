import { create } from "@bufbuild/protobuf";
import {
  type AttestAgentRequest,
  type AttestAgentRequest_Params,
  type AttestAgentResponse,
  AttestAgentResponseSchema,
} from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { deadlineExceeded, invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";

/** How long the agent may take for each step. */
const STEP_TIMEOUT_MS = 10_000;
const MAX_CHALLENGES = 8;

/** The conversation of one attestation: the agent opens it, answers challenges, and hears the result. */
export class AttestationExchange {
  readonly #steps: AsyncIterator<AttestAgentRequest>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #challenges: Uint8Array[] = [];
  #asked = 0;
  #wake: () => void = () => {};

  constructor(requests: AsyncIterable<AttestAgentRequest>, clock: Clock, signal: AbortSignal) {
    this.#steps = requests[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#signal = signal;
  }

  /** The opening. @throws {StatusError} INVALID_ARGUMENT, DEADLINE_EXCEEDED */
  async readParams(): Promise<AttestAgentRequest_Params> {
    const step = await this.#next();
    if (step.case !== "params") throw invalidArgument("the first message must have params");
    return step.value;
  }

  /** Has a challenge sent and waits for the answer. @throws {StatusError} INVALID_ARGUMENT, DEADLINE_EXCEEDED */
  async challenge(challenge: Uint8Array): Promise<Uint8Array> {
    this.#asked += 1;
    if (this.#asked > MAX_CHALLENGES) throw invalidArgument("too many challenges");
    this.#challenges.push(challenge);
    this.#wake();
    const step = await this.#next();
    if (step.case !== "challengeResponse") {
      throw invalidArgument("expected the response to a challenge");
    }
    return step.value;
  }

  /** The server's half: the challenges as they come up, then the result. */
  async *answers(
    result: Promise<AttestAgentResponse["step"]>,
  ): AsyncGenerator<AttestAgentResponse> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
      this.#wake();
    };
    result.then(over, over);
    for (;;) {
      const value = this.#challenges.shift();
      if (value !== undefined) {
        yield create(AttestAgentResponseSchema, { step: { case: "challenge", value } });
        continue;
      }
      if (isOver) break;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await untilAborted(promise, this.#signal);
    }
    yield create(AttestAgentResponseSchema, { step: await result });
  }

  async #next(): Promise<AttestAgentRequest["step"]> {
    const arrived = new AbortController();
    const late = this.#clock.sleep(
      STEP_TIMEOUT_MS,
      AbortSignal.any([this.#signal, arrived.signal]),
    );
    try {
      const next = await Promise.race([untilAborted(this.#steps.next(), this.#signal), late]);
      if (next === undefined) {
        this.#signal.throwIfAborted();
        throw deadlineExceeded("the agent took too long to go on with its attestation");
      }
      if (next.done === true) throw invalidArgument("the agent ended its attestation early");
      return next.value.step;
    } finally {
      arrived.abort();
    }
  }
}
