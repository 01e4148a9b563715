import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { layoutOf } from "./layout.ts";

suite("layoutOf", () => {
  test("keeps everything in the home folder", () => {
    const paths = Object.values(layoutOf("/home/me/assay/.assay"));
    assert.deepEqual(
      paths.filter((path) => !path.startsWith("/home/me/assay/.assay")),
      [],
    );
  });

  test("sockets go elsewhere where their paths would be too long, the same place every time", () => {
    const deep = `/home/${"deep/".repeat(30)}.assay`;
    const { workloadSocket, adminSocket, serverData } = layoutOf(deep);
    assert.ok(workloadSocket.length <= 103);
    assert.ok(adminSocket.length <= 103);
    assert.ok(serverData.startsWith(deep));
    assert.equal(layoutOf(deep).workloadSocket, workloadSocket);
    assert.notEqual(layoutOf(`${deep}2`).workloadSocket, workloadSocket);
  });
});
