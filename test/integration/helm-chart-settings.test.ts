// The settings that the chart writes are settings that the product takes.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { agentConfigSchema } from "../../agent/config/agent-config.ts";
import { csiConfigSchema } from "../../agent/config/csi-config.ts";
import { parseConfig } from "../../runtime/config/load.ts";
import { serverConfigSchema } from "../../server/config/server-config.ts";
import { renderChart } from "../support/helm.ts";
import { requires } from "../support/requires.ts";

const schemas = {
  "server.yaml": serverConfigSchema,
  "agent.yaml": agentConfigSchema,
  "csi.yaml": csiConfigSchema,
} as const;

const otherCluster = {
  server: {
    clusters: { edge: { kubeconfigSecret: "edge", serviceAccounts: ["assay-system:assay-agent"] } },
  },
};

const settings = [
  { name: "by default", values: {} },
  { name: "with another cluster", values: otherCluster },
  { name: "without CSI", values: { csi: { enabled: false } } },
  { name: "without a registrar", values: { registrar: { enabled: false } } },
  {
    name: "with settings of the operator's own",
    values: {
      server: { config: { ca: { x509SvidTtl: "30m" }, log: { level: "debug" } } },
      agent: { config: { offline: { maxAge: "2d" } }, namespaceLabels: true, unixSelectors: true },
    },
  },
  {
    name: "with the server elsewhere",
    values: { server: { enabled: false }, agent: { servers: ["assay.example.org:8081"] } },
  },
  { name: "on the node's network", values: { agent: { hostNetwork: true } } },
  {
    name: "with the node's own kubelet certificate",
    values: { agent: { kubelet: { verify: "node" } } },
  },
];

suite("settings of the chart", () => {
  if (!requires("helm")) return;

  for (const { name, values } of settings) {
    test(`are settings that the product takes, ${name}`, () => {
      const files = renderChart(values)
        .filter(({ kind }) => kind === "ConfigMap")
        .flatMap(({ data }) => Object.entries<string>(data));
      assert.ok(files.length > 0);
      for (const [file, text] of files) {
        const schema = Object.entries(schemas).find(([known]) => known === file)?.[1];
        assert.ok(schema !== undefined, file);
        assert.ok(parseConfig<unknown>(schema, text, file));
      }
    });
  }
});
