import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { parseTargetPath } from "./target-path.ts";

const KUBELET = "/var/lib/kubelet";
const good = `${KUBELET}/pods/2b0bd1f0-5bd9-4a2e-8fe3-0ba0c2f9d7a1/volumes/kubernetes.io~csi/spiffe/mount`;

describe("parseTargetPath", () => {
  it("finds pod and volume", () => {
    assert.deepEqual(parseTargetPath(KUBELET, good), {
      podUid: "2b0bd1f0-5bd9-4a2e-8fe3-0ba0c2f9d7a1",
      volume: "spiffe",
    });
  });

  for (const path of [
    "",
    "/",
    "mount",
    KUBELET,
    `${good}/`,
    `${good}/..`,
    `/${good}`,
    good.replace("/mount", ""),
    good.replace("/mount", "//mount"),
    good.replace("/mount", "/other"),
    good.replace("/spiffe", "/.."),
    good.replace("/spiffe", "/."),
    good.replace("/spiffe", "/"),
    good.replace("/spiffe", "/sp\0iffe"),
    good.replace("/spiffe", "/sp iffe"),
    good.replace("/spiffe", `/${"x".repeat(300)}`),
    good.replace("~csi", "~empty-dir"),
    good.replace("/volumes/", "/containers/"),
    good.replace("/pods/", "/pods/../pods/"),
    good.replace("/pods/", "/plugins/"),
    good.replace(KUBELET, "/var/lib/kubelet2"),
    good.replace(KUBELET, "/var/lib"),
  ]) {
    it(`refuses ${JSON.stringify(path.slice(0, 120))}`, () => {
      assert.throws(() => parseTargetPath(KUBELET, path), {
        name: "StatusError",
        reason: "csi_target_path",
      });
    });
  }

  it("refuses whatever else in one way, and yields no name with a meaning", () => {
    const part = fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom("pods", "volumes", "kubernetes.io~csi", "mount", "..", ".", ""),
    );
    const below = fc.array(part, { maxLength: 7 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(below, (rest) => {
        try {
          const { podUid, volume } = parseTargetPath(KUBELET, `${KUBELET}/pods/${rest}`);
          for (const name of [podUid, volume]) assert.match(name, /^[^./][^/\0]*$/);
        } catch (err) {
          assert.ok(err instanceof StatusError);
        }
      }),
    );
  });
});
