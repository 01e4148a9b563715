import { setImmediate as turn } from "node:timers/promises";

/** Cuts a list into slices of `size`; the last one may be shorter. */
export function* slicesOf<T>(items: readonly T[], size: number): Generator<T[], void> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/** The same, with a turn of the event loop between two slices, so that work on a long list holds up nobody else for long. */
export async function* inTurns<T>(
  items: readonly T[],
  size: number,
): AsyncGenerator<readonly T[], void> {
  let isFirst = true;
  for (const slice of slicesOf(items, size)) {
    if (!isFirst) await turn();
    isFirst = false;
    yield slice;
  }
}
