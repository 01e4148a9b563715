import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { OTHER_POD_UID, POD_UID, podJson, podListJson } from "../../../test/support/pods.ts";
import { TempDir } from "../../../test/support/temp-dir.ts";
import { HttpsError } from "./bearer-https.ts";
import { parsePodList } from "./parse-pod-list.ts";
import { parseTokenReview } from "./parse-token-review.ts";
import { PodTokens } from "./pod-tokens.ts";

const pods = "authentication.kubernetes.io";

function reviewJson(
  changes: { readonly status?: object; readonly user?: object; readonly extra?: object } = {},
): string {
  const extra = { [`${pods}/pod-uid`]: [POD_UID], [`${pods}/node-name`]: ["node-1"] };
  return JSON.stringify({
    kind: "TokenReview",
    status: {
      authenticated: true,
      audiences: ["assay-agent"],
      user: {
        username: "system:serviceaccount:shop:web",
        extra: { ...extra, ...changes.extra },
        ...changes.user,
      },
      ...changes.status,
    },
  });
}

async function setUp() {
  const dir = await TempDir.open();
  const clock = new FakeClock();
  const asked: string[] = [];
  const state = { answer: async (): Promise<string> => reviewJson() };
  const tokens = new PodTokens({
    folder: dir.path,
    audience: "assay-agent",
    nodeName: "node-1",
    api: {
      text: async ({ body = "" }) => {
        asked.push(body);
        return state.answer();
      },
    },
    clock,
  });
  const put = async (podUid: string, token: string): Promise<void> => {
    await mkdir(dir.join(podUid), { recursive: true });
    const given = { "assay-agent": { token, expirationTimestamp: "2026-03-01T13:00:00Z" } };
    await writeFile(dir.join(podUid, "volume"), JSON.stringify(given));
  };
  const problemAfterReview = async (): Promise<string | undefined> => {
    await tokens.review(POD_UID);
    return tokens.problemOf(POD_UID, undefined);
  };
  return { dir, clock, asked, state, tokens, put, problemAfterReview };
}

describe("PodTokens", () => {
  it("knows nothing before a review, and then for a minute", async () => {
    const { dir, clock, tokens, put, problemAfterReview } = await setUp();
    await using _ = dir;
    await put(POD_UID, "t");
    assert.equal(tokens.problemOf(POD_UID, undefined), "pod_token_not_reviewed");
    assert.equal(await problemAfterReview(), undefined);
    await clock.advance(59_000);
    assert.equal(tokens.problemOf(POD_UID, undefined), undefined);
    await clock.advance(1_000);
    assert.equal(tokens.problemOf(POD_UID, undefined), "pod_token_not_reviewed");
  });

  it("sends the pod's own token with the audience, once however many ask", async () => {
    const { dir, asked, tokens, put } = await setUp();
    await using _ = dir;
    await put(POD_UID, "t");
    await Promise.all([tokens.review(POD_UID), tokens.review(POD_UID)]);
    assert.equal(asked.length, 1);
    assert.deepEqual(JSON.parse(asked[0] ?? "").spec, { token: "t", audiences: ["assay-agent"] });
  });

  it("holds the API server's pod against the kubelet's", async () => {
    const { dir, tokens, put } = await setUp();
    await using _ = dir;
    await put(POD_UID, "t");
    await tokens.review(POD_UID);
    const { pods: listed } = parsePodList(
      podListJson(podJson(), podJson({ uid: OTHER_POD_UID, serviceAccountName: "admin" })),
    );
    assert.equal(tokens.problemOf(POD_UID, listed[0]), undefined);
    assert.equal(tokens.problemOf(POD_UID, listed[1]), "pod_token_of_another_account");
  });

  const refused: readonly { name: string; answer: string; problem: string }[] = [
    {
      name: "a token stolen from another pod",
      answer: reviewJson({ extra: { [`${pods}/pod-uid`]: [OTHER_POD_UID] } }),
      problem: "pod_token_of_another_pod",
    },
    {
      name: "a token stolen from another node",
      answer: reviewJson({ extra: { [`${pods}/node-name`]: ["node-2"] } }),
      problem: "pod_token_of_another_node",
    },
    {
      name: "a token that is not valid",
      answer: reviewJson({ status: { authenticated: false } }),
      problem: "pod_token_refused",
    },
    {
      name: "a token for another audience",
      answer: reviewJson({ status: { audiences: ["https://kubernetes.default.svc"] } }),
      problem: "pod_token_refused",
    },
    {
      name: "a token that is bound to no pod",
      answer: reviewJson({ extra: { [`${pods}/pod-uid`]: undefined } }),
      problem: "pod_token_refused",
    },
    {
      name: "a token that names two pods",
      answer: reviewJson({ extra: { [`${pods}/pod-uid`]: [POD_UID, OTHER_POD_UID] } }),
      problem: "pod_token_refused",
    },
    {
      name: "a token of a user who is no service account",
      answer: reviewJson({ user: { username: "system:node:node-1" } }),
      problem: "pod_token_refused",
    },
    { name: "an answer that is none", answer: "[]", problem: "api_server_away" },
  ];
  for (const { name, answer, problem } of refused) {
    it(`refuses ${name}, and asks again a second later`, async () => {
      const { dir, clock, state, put, tokens, problemAfterReview } = await setUp();
      await using _ = dir;
      await put(POD_UID, "t");
      state.answer = async () => answer;
      assert.equal(await problemAfterReview(), problem);
      await clock.advance(1_000);
      assert.equal(tokens.problemOf(POD_UID, undefined), "pod_token_not_reviewed");
      state.answer = async () => reviewJson();
      assert.equal(await problemAfterReview(), undefined);
    });
  }

  it("finds no token in an empty folder, in nonsense, or for another audience", async () => {
    const { dir, asked, problemAfterReview } = await setUp();
    await using _ = dir;
    assert.equal(await problemAfterReview(), "pod_token_missing");
    await mkdir(dir.join(POD_UID));
    for (const text of ["", "{", "[]", '{"other":{"token":"t"}}', '{"assay-agent":{"token":7}}']) {
      await writeFile(dir.join(POD_UID, "volume"), text);
      assert.equal(await problemAfterReview(), "pod_token_missing");
    }
    assert.deepEqual(asked, []);
  });

  it("goes by the last word for ten minutes while the API server is away, and no longer", async () => {
    const { dir, clock, state, put, tokens, problemAfterReview } = await setUp();
    await using _ = dir;
    await put(POD_UID, "t");
    await tokens.review(POD_UID);
    state.answer = () => Promise.reject(new HttpsError("unreachable", "away"));
    await clock.advance(9 * 60_000);
    assert.equal(await problemAfterReview(), undefined);
    await clock.advance(2 * 60_000);
    assert.equal(await problemAfterReview(), "api_server_away");
    assert.equal(tokens.detailOf(POD_UID), "away");
  });
});

describe("parseTokenReview", () => {
  it("takes nothing but what it should from any JSON", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        try {
          assert.equal(parseTokenReview(json, "a"), undefined);
        } catch (err) {
          assert.match(String(err), /UnexpectedShape/);
        }
      }),
    );
  });
});
