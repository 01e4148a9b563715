import type { ReadFeed } from "../../runtime/feed.ts";
import type { HolderMessage } from "./messages.ts";

/**
 * Tells an agent of the sockets of pods, as they come and go, until `signal` aborts. A socket that is another than before by the same
 * name is told of again.
 *
 * @param held the sockets by name
 */
export async function tellPods<T>(
  held: ReadFeed<ReadonlyMap<string, T>>,
  tell: (message: HolderMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  const told = new Map<string, T>();
  let isComplete = false;
  for await (const now of held.subscribe(signal)) {
    for (const name of told.keys()) {
      if (now.has(name)) continue;
      told.delete(name);
      tell({ type: "pod_gone", name });
    }
    for (const [name, socket] of now) {
      if (told.get(name) === socket) continue;
      told.set(name, socket);
      tell({ type: "pod", name });
    }
    if (!isComplete) tell({ type: "pods_told" });
    isComplete = true;
  }
}
