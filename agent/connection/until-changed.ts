import type { ReadFeed } from "../../runtime/feed.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/** Resolves after `ms`, or as soon as the feed's value is not `seen` any more, or when `signal` aborts. Never rejects. */
export async function untilChanged<T>(
  feed: ReadFeed<T>,
  o: {
    readonly seen: T;
    readonly ms: number;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const over = new AbortController();
  const end = (): void => over.abort();
  if (o.signal.aborted) return;
  o.signal.addEventListener("abort", end);
  const watch = async (): Promise<void> => {
    for await (const value of feed.subscribe(over.signal)) {
      if (value !== o.seen) break;
    }
    end();
  };
  await Promise.all([watch(), o.clock.sleep(o.ms, over.signal).then(end)]);
  o.signal.removeEventListener("abort", end);
}
