// What reads text and bytes for those who consume identities, with input that nobody wrote by hand: configuration of other programs,
// answers of clouds, references of brokers, tokens.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { parseHcl } from "../../agent/config/spiffe-helper/hcl.ts";
import { HclError } from "../../agent/config/spiffe-helper/hcl-tokens.ts";
import { splitArguments } from "../../agent/config/spiffe-helper/split-arguments.ts";
import { readBrokerReference } from "../../agent/endpoints/delegation/workload-reference.ts";
import {
  WorkloadPIDReferenceSchema,
  WorkloadReferenceSchema,
} from "../../proto/gen/spiffe/broker/api_pb.ts";
import { CliError } from "../../runtime/cli/exit-code.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { jsonOf } from "../../server/cli/cloud/cloud-json.ts";
import { parseXml, textAt } from "../../server/cli/cloud/xml.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { readWitSvid } from "../../spiffe/svid/wit-svid.ts";
import { fuzzing, readOrRefused } from "../support/fuzzing.ts";
import { damagedText } from "../support/hostile.ts";

const helperConf = `agent_address = "/run/api.sock"
cmd_args = "-a \\"b c\\"" # of the command
jwt_svids = [{ jwt_audience = "a", jwt_svid_file_name = "x" }]
health_checks { listener_enabled = true }
cert_file_mode = 0600
`;
const answer = '<?xml version="1.0"?><A xmlns="u"><B>one &amp; &#x41;</B><C/></A>';
const words = fc.array(fc.string({ unit: fc.constantFrom("a", " ", '"', "\\"), minLength: 1 }));

const base64url = (value: unknown): string => Buffer.from(String(value)).toString("base64url");
const witHeader = base64url('{"alg":"ES256","kid":"k","typ":"wit+jwt"}');
const witPayload =
  '{"sub":"spiffe://example.test/a","exp":1,"cnf":{"jwk":{"kty":"EC","crv":"P-256","alg":"ES256","x":"AA","y":"AA"}}}';

suite("what consumers send and write", () => {
  test("spiffe-helper's configuration is read or refused with its line", () => {
    const text = fc.oneof(damagedText(helperConf, '{}[]"=,:\\\n#/0x.-u'), fc.string());
    fc.assert(
      fc.property(text, (damaged) => {
        readOrRefused(() => parseHcl(damaged), HclError);
      }),
      fuzzing(2_000),
    );
  });

  test("arguments that were quoted are the same when they are split", () => {
    fc.assert(
      fc.property(words, (all) => {
        const line = all.map((word) => `"${word.replaceAll('"', '""')}"`).join(" ");
        assert.deepEqual(splitArguments(line), all);
      }),
      fuzzing(500),
    );
  });

  test("XML of a cloud is read or refused, and text comes out as it went in", () => {
    fc.assert(
      fc.property(damagedText(answer, "<>/&;#x!\"' A"), (damaged) => {
        readOrRefused(() => parseXml(damaged), SyntaxError);
      }),
      fuzzing(2_000),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const escaped = text.replace(/[&<]/g, (sign) => `&#${sign.charCodeAt(0)};`);
        assert.equal(textAt(parseXml(`<A><B>${escaped}</B></A>`), "B"), text);
      }),
      fuzzing(500),
    );
  });

  test("JSON of a cloud is an object or refused", () => {
    const body = fc.oneof(
      damagedText('{"a":"b","expires_in":3600,"c":[{}]}', '{}[]",:\\u0e-'),
      fc.json(),
    );
    fc.assert(
      fc.property(body, (damaged) => {
        readOrRefused(
          () =>
            jsonOf("the cloud", { status: 200, contentType: "application/json", body: damaged }),
          CliError,
        );
      }),
      fuzzing(2_000),
    );
  });

  test("a broker's reference names a process or is refused", () => {
    const sample = toBinary(
      WorkloadPIDReferenceSchema,
      create(WorkloadPIDReferenceSchema, { pid: 7 }),
    );
    const value = fc.oneof(
      fc.uint8Array({ maxLength: 16 }),
      fc.uint8Array({ maxLength: 4 }).map((more) => new Uint8Array([...sample, ...more])),
    );
    const typeUrl = `type.googleapis.com/${WorkloadPIDReferenceSchema.typeName}`;
    fc.assert(
      fc.property(value, (bytes) => {
        const message = create(WorkloadReferenceSchema, { reference: { typeUrl, value: bytes } });
        const reference = readOrRefused(() => readBrokerReference(message), StatusError);
        if (reference?.kind === "process") assert.ok(reference.pid > 0);
      }),
      fuzzing(2_000),
    );
  });

  test("a WIT-SVID is read or refused", () => {
    const payload = fc.oneof(damagedText(witPayload, '{}[]",:AE-1'), fc.json());
    fc.assert(
      fc.property(payload, (damaged) => {
        const token = `${witHeader}.${base64url(damaged)}.AAAA`;
        readOrRefused(() => readWitSvid(token), SpiffeError);
      }),
      fuzzing(2_000),
    );
  });
});
