import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { POD_UID, podJson, podListJson } from "../../../test/support/pods.ts";
import { parsePodList } from "./parse-pod-list.ts";
import type { Pod } from "./pod.ts";
import { PodDirectory } from "./pod-directory.ts";

const idOf = (n: number): string => n.toString(16).padStart(64, "0");

/** A pod with containers of these numbers. */
function podWith(...numbers: readonly number[]): readonly Pod[] {
  const containers = numbers.map((n) => ({ name: `c${n}`, id: idOf(n) }));
  return parsePodList(podListJson(podJson({ containers }))).pods;
}

describe("PodDirectory", () => {
  it("knows every container that is listed, however many a pod has", () => {
    const directory = new PodDirectory();
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    for (let round = 0; round < 2; round += 1) directory.update(podWith(...numbers), round);
    const known = directory.get(POD_UID)?.containers;
    assert.deepEqual([...(known?.keys() ?? [])].sort(), numbers.map(idOf).sort());
  });

  it("forgets the oldest that a container in a crash loop has left", () => {
    const directory = new PodDirectory();
    for (let n = 0; n < 100; n += 1) directory.update(podWith(n, 1_000), n);
    const known = directory.get(POD_UID)?.containers;
    assert.equal(known?.size, 64);
    assert.deepEqual(
      [0, 36, 37, 99, 1_000].map((n) => known?.has(idOf(n))),
      [false, false, true, true, true],
    );
  });
});
