// Imports point one way: the order of the top folders, the order of the data inside server/ and agent/, and one home for
// every third-party package. docs/architecture.md section 2 says why.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { readImports } from "./support/imports.ts";
import { isTestCode, readSources } from "./support/sources.ts";

/** A folder may import itself and those above it. */
const order = {
  "": ["runtime", "spiffe", "proto", "server|agent", "assay.ts", "deploy"],
  server: [
    "config",
    "acme",
    "store",
    "keymanager",
    "k8s",
    "policy",
    "audit",
    "bundle",
    "ca",
    "entries",
    "registrar",
    "node-attestation",
    "svid",
    "federation",
    "oidc",
    "sync",
    "api",
    "endpoints",
    "server.ts",
    "main.ts",
    "cli",
  ],
  agent: [
    "config",
    "state",
    "identity",
    "audit",
    "connection",
    "node-attestation",
    "cache",
    "sync",
    "workload-attestation",
    "holder",
    "endpoints",
    "csi",
    "files",
    "agent.ts",
    "main.ts",
    "cli",
  ],
} as const satisfies Record<string, readonly string[]>;

/** Generated messages carry no behaviour: the layers below proto may use those of the standard they speak. */
const standards = {
  runtime: ["proto/gen/grpc/", "proto/gen/google/"],
  // The limits of a federation travel beside the Workload API.
  spiffe: ["proto/gen/spiffe/", "proto/gen/assay/workload/", "proto/gen/assay/federation/"],
} as const satisfies Record<string, readonly string[]>;

/** Where a package may be imported; those not named here may be imported anywhere. */
const homes = {
  "acme-client": ["server/acme/"],
  "@kubernetes/client-node": ["server/k8s/"],
  "better-sqlite3": ["server/store/"],
  kysely: ["server/store/"],
  pino: ["runtime/log"],
  koffi: ["runtime/peer/", "runtime/mount/", "runtime/memory/"],
  "@peculiar/x509": ["server/ca/", "deploy/local/"],
  "reflect-metadata": ["server/ca/", "deploy/local/"],
  jose: ["spiffe/jwt/"],
  commander: ["runtime/cli/", "server/cli/", "agent/cli/", "assay.ts", "deploy/docs/"],
  zod: [
    "runtime/config/",
    "server/config/",
    "agent/config/",
    "server/k8s/",
    "server/node-attestation/",
    "server/registrar/",
  ],
  "prom-client": ["runtime/metrics"],
  yaml: [
    "runtime/config/",
    "runtime/cli/",
    "deploy/local/",
    "deploy/docs/",
    "server/cli/",
    "agent/cli/",
  ],
  "@grpc/grpc-js": ["runtime/rpc/", "spiffe/", "agent/connection/"],
} as const satisfies Record<string, readonly string[]>;

const product = (await readSources()).filter(({ path }) => !isTestCode(path));

suite("layering", () => {
  for (const [folder, places] of Object.entries<readonly string[]>(order)) {
    test(`imports inside ${folder || "the root"} follow the order of its folders`, () => {
      const prefix = folder === "" ? "" : `${folder}/`;
      const rank = (path: string): number => {
        const [part = ""] = path.slice(prefix.length).split("/");
        const found = places.findIndex((place) => place.split("|").includes(part));
        // The composition root may take several files.
        const isRootFile = folder !== "" && part.endsWith(".ts");
        return found < 0 && isRootFile ? places.indexOf(`${folder}.ts`) : found;
      };
      const wrong = product
        .filter(({ path }) => path.startsWith(prefix))
        .flatMap((source) => {
          if (rank(source.path) < 0) return [`${source.path} has no place in the order`];
          return readImports(source)
            .own.filter((target) => target.startsWith(prefix) && !isStandard(source.path, target))
            .filter((target) => rank(target) > rank(source.path))
            .map((target) => `${source.path} imports ${target}`);
        });
      assert.deepEqual(wrong, []);
    });
  }

  test("server and agent never import each other", () => {
    const wrong = product.flatMap((source) => {
      const other = { server: "agent/", agent: "server/" }[source.path.split("/")[0] ?? ""];
      if (other === undefined) return [];
      return readImports(source)
        .own.filter((target) => target.startsWith(other))
        .map((target) => `${source.path} imports ${target}`);
    });
    assert.deepEqual(wrong, []);
  });

  test("a third-party package has one home", () => {
    const allowed = new Map<string, readonly string[]>(Object.entries(homes));
    const wrong = product.flatMap((source) =>
      readImports(source)
        .packages.filter((name) => {
          const places = allowed.get(name);
          return places !== undefined && !places.some((place) => source.path.startsWith(place));
        })
        .map((name) => `${source.path} imports ${name}`),
    );
    assert.deepEqual(wrong, []);
  });

  test("the product imports nothing from test/", () => {
    const wrong = product.filter((source) =>
      readImports(source).own.some((target) => isTestCode(target)),
    );
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });
});

function isStandard(from: string, target: string): boolean {
  const allowed = new Map<string, readonly string[]>(Object.entries(standards));
  return (allowed.get(from.split("/")[0] ?? "") ?? []).some((place) => target.startsWith(place));
}
