import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { testKey } from "../../test/support/test-ca.ts";
import { AttestationMemory } from "./attestation-memory.ts";
import { digestToken, JoinTokenAttestor } from "./join-token.ts";

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("utf8");
const never = () => false;

describe("JoinTokenAttestor", () => {
  it("sends the token as it is", async () => {
    assert.equal(text(await new JoinTokenAttestor({ token: "t1" }, never).payload()), "t1");
  });

  it("reads the file at each attempt, and has nothing while there is none", async () => {
    await using dir = await TempDir.open();
    const attestor = new JoinTokenAttestor({ tokenFile: dir.join("token") }, never);
    assert.equal(await attestor.payload(), undefined);
    await writeFile(dir.join("token"), "t1\n");
    assert.equal(text(await attestor.payload()), "t1");
  });

  it("does not send a token again that has led to an identity", async () => {
    const memory = new AttestationMemory({ key: undefined, payloadDigest: undefined });
    const attestor = new JoinTokenAttestor({ token: "t1" }, (digest) => memory.isSpent(digest));
    const digest = digestToken(Buffer.from("t1"));
    const { privateKey } = testKey();
    memory.begin(privateKey, digest);
    assert.equal(text(await attestor.payload()), "t1");
    assert.equal(memory.keyFor(digest), privateKey);
    memory.succeeded();
    assert.equal(await attestor.payload(), undefined);
    assert.equal(memory.keyFor(digest), undefined);
  });

  it("refuses a file without a token, and a challenge", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("token"), "\n");
    const attestor = new JoinTokenAttestor({ tokenFile: dir.join("token") }, never);
    await assert.rejects(attestor.payload(), {
      message: `join_token: token file ${dir.join("token")} must hold one token`,
    });
    await assert.rejects(attestor.answer(), {
      message: "join_token: the server sent a challenge, and there is none",
    });
  });
});
