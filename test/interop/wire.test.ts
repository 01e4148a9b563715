// Our generated code against the descriptors that the publishers' Go modules were built from.

import assert from "node:assert/strict";
import { glob, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { GoProgram } from "../support/foreign-builds.ts";
import { type Check, streamChecks, testChecks } from "../support/interop.ts";
import { requires } from "../support/requires.ts";

const generated = join(import.meta.dirname, "..", "..", "proto", "gen");

/** All files of the generated code and what they import, each after its imports. */
async function describeGeneratedCode(): Promise<FileDescriptorSet> {
  const files = new Map<string, FileDescriptorProto>();
  function add(file: DescFile): void {
    for (const dependency of file.dependencies) add(dependency);
    files.set(file.proto.name, file.proto);
  }
  for await (const path of glob("**/*_pb.ts", { cwd: generated })) {
    const module: Record<string, unknown> = await import(join(generated, path));
    for (const exported of Object.values(module)) if (isFile(exported)) add(exported);
  }
  return create(FileDescriptorSetSchema, { file: [...files.values()] });
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}

if (requires("go")) {
  describe("the wire", () => {
    let program: GoProgram;
    let folder: string;
    let ours: FileDescriptorSet;

    before(async () => {
      program = await GoProgram.build("wire");
      folder = await mkdtemp(join(tmpdir(), "assay-wire-"));
      ours = await describeGeneratedCode();
    });

    after(async () => {
      await program[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    });

    async function compare(set: FileDescriptorSet): Promise<{ file: string; args: string[] }> {
      const path = join(folder, "descriptors");
      await writeFile(path, toBinary(FileDescriptorSetSchema, set));
      return { file: program.file, args: [path] };
    }

    it("is the publishers', message by message and field by field", async (t) => {
      await testChecks(t, await compare(ours), [
        "SPIFFE Workload API",
        "spiffe.broker",
        "spire.api.agent.delegatedidentity.v1",
        "spire.api.types",
        ...[
          "agent",
          "bundle",
          "debug",
          "entry",
          "localauthority",
          "logger",
          "svid",
          "trustdomain",
        ].map((name) => `spire.api.server.${name}.v1`),
        "grpc.health.v1",
        "grpc.reflection.v1",
        "google.rpc",
        ...[
          "config.core.v3",
          "extensions.transport_sockets.tls.v3",
          "service.discovery.v3",
          "service.secret.v3",
          "type.matcher.v3",
          "type.v3",
        ].map((name) => `envoy.${name}`),
      ]);
    });

    const changes = [
      ["spire.api.types", "spire/api/types/selector.proto", /Selector: too many: value = 33/],
      [
        "envoy.extensions.transport_sockets.tls.v3",
        "envoy/extensions/transport_sockets/tls/v3/common.proto",
        /TlsCertificate: too many: private_key = 33/,
      ],
    ] as const;
    for (const [name, path, words] of changes) {
      it(`is found to differ when one field number of ${name} does`, async () => {
        const changed = structuredClone(ours);
        const file = changed.file.find((one) => one.name === path);
        const field = file?.messageType[0]?.field[1];
        assert.ok(field !== undefined);
        field.number = 33;
        const failed: Check[] = [];
        for await (const check of streamChecks(await compare(changed))) {
          if (!check.ok) failed.push(check);
        }
        assert.deepEqual(
          failed.map(({ check }) => check),
          [name],
        );
        assert.match(String(failed[0]?.detail), words);
      });
    }
  });
}
