/** Calls whose messages have to fit: into what the server takes, and its answers into what we take. */
import { Status, StatusError } from "../../runtime/errors/status-error.ts";

/** Three quarters of the 4 MiB that gRPC takes by default; an answer says more of an item than the question. */
const MAX_CALL_BYTES = 3 * 1024 * 1024;

/**
 * Sends the items of a batch in as few calls as their size allows, one after the other. A call that turns out to be too large is made
 * again in halves; one item that is too large by itself is answered by `refuse`, so that it keeps no other from being written.
 *
 * @param sizeOf bytes of an item on the wire
 * @returns the answers in the order of the items
 */
export async function inSizedCalls<T, R>(
  items: readonly T[],
  o: {
    readonly sizeOf: (item: T) => number;
    readonly call: (items: readonly T[]) => Promise<readonly R[]>;
    readonly refuse: (item: T, err: StatusError) => R;
  },
): Promise<readonly R[]> {
  const answers: R[] = [];
  for (const part of partsOf(items, o.sizeOf)) answers.push(...(await sent(part, o)));
  return answers;
}

/** Whether a message was too large for one of the two sides. The server's own limits say a reason. */
export function isTooLarge(err: unknown): err is StatusError {
  return (
    err instanceof StatusError && err.code === Status.RESOURCE_EXHAUSTED && err.reason === undefined
  );
}

async function sent<T, R>(
  items: readonly T[],
  o: Parameters<typeof inSizedCalls<T, R>>[1],
): Promise<readonly R[]> {
  try {
    return await o.call(items);
  } catch (err) {
    if (!isTooLarge(err)) throw err;
    const [only] = items;
    if (items.length === 1 && only !== undefined) return [o.refuse(only, err)];
    const half = Math.ceil(items.length / 2);
    return [...(await sent(items.slice(0, half), o)), ...(await sent(items.slice(half), o))];
  }
}

function* partsOf<T>(items: readonly T[], sizeOf: (item: T) => number): Generator<readonly T[]> {
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (part.length > 0 && bytes + size > MAX_CALL_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
