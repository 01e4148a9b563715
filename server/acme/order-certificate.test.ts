import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { Challenges } from "./challenges.ts";
import { acmeOrders } from "./order-certificate.ts";

const settings = {
  directoryUrl: "https://127.0.0.1:1/directory",
  domain: "bundles.example.test",
  tosAccepted: true,
  directory: "/nowhere",
} as const;
const accountKey = String(
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    format: "pem",
    type: "pkcs8",
  }),
);

describe("acmeOrders", () => {
  it("says why the ACME server cannot be reached", async () => {
    const order = await acmeOrders(settings);
    const { signal } = new AbortController();
    await assert.rejects(order({ accountKey, challenges: new Challenges() }, signal), {
      message: /ECONNREFUSED/,
    });
  });

  it("stops when it is told to", async () => {
    const order = await acmeOrders(settings);
    const reason = new Error("enough");
    const challenges = new Challenges();
    await assert.rejects(order({ accountKey, challenges }, AbortSignal.abort(reason)), reason);
  });

  it("needs the file of the authorities", async () => {
    await assert.rejects(acmeOrders({ ...settings, caFile: "/nowhere/ca.pem" }), {
      code: "ENOENT",
    });
  });
});
