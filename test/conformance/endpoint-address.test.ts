// Workload Endpoint 4: what SPIFFE_ENDPOINT_SOCKET may hold. Vectors AD.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  type EndpointAddress,
  formatEndpointAddress,
  parseEndpointAddress,
  resolveEndpointAddress,
} from "../../spiffe/workloadapi/endpoint.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";

const unix = (path: string): EndpointAddress => ({ kind: "unix", path });
const tcp = (host: string, port: number): EndpointAddress => ({ kind: "tcp", host, port });
const longPath = `/run/${"x".repeat(120)}.sock`;

const valid: readonly (readonly [vector: string, text: string, address: EndpointAddress])[] = [
  ["AD-01", "unix:///run/spire/agent.sock", unix("/run/spire/agent.sock")],
  ["AD-02", "unix:/run/x.sock", unix("/run/x.sock")],
  ["AD-15", "UNIX:///a", unix("/a")],
  ["AD-17", `unix://${longPath}`, unix(longPath)],
  ["AD-19", "tcp://127.0.0.1:8000", tcp("127.0.0.1", 8000)],
  ["AD-20", "tcp://[::1]:8000", tcp("::1", 8000)],
  ["WE-11", "unix:///run/a%20b%3f.sock", unix("/run/a b?.sock")],
];

const invalid: readonly (readonly [vector: string, ...texts: readonly string[]])[] = [
  ["AD-03", "unix:run/x.sock"],
  ["AD-04", "unix://run/x.sock"],
  ["AD-06", "unix://foo"],
  ["AD-07", "unix://", "unix:"],
  ["AD-08", "unix:///"],
  ["AD-09", "unix:///a?x"],
  ["AD-10", "unix:///a#x"],
  ["AD-11", "unix:///a?"],
  ["AD-12", "unix:///a#"],
  ["AD-13", "unix://u:p@h/x"],
  ["AD-16", "unix-abstract:foo", "npipe:x"],
  ["AD-18", "/run/x.sock", "blah", "", "\t"],
  ["AD-22", "tcp://127.0.0.1:8000/"],
  ["AD-23", "tcp://127.0.0.1", "tcp://127.0.0.1:"],
  ["AD-25", "tcp://", "tcp:127.0.0.1:80"],
  ["AD-26", "tcp://u@127.0.0.1:80"],
  ["AD-27", "tcp://127.0.0.1:80?x=1", "tcp://127.0.0.1:80#f"],
  ["AD-28", "tcp://127.0.0.1:80?"],
  ["AD-29", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:99999"],
  ["AD-30", "tcp://127.0.0.1:abc"],
  ["AD-30b", "tcp://broker.example.com:8443"],
  ["AD-31", "tcp://[fe80::1%25eth0]:80"],
  ["AD-32", "http://127.0.0.1:80", "passthrough:///x"],
  ["WE-11", "unix:///a%", "unix:///a%zz", "unix:///a%00b", "unix:///a\nb", " unix:///a"],
  ["WE-12", "tcp://[127.0.0.1]:80", "tcp://::1:80", "tcp://127.0.0.1.:80", "tcp://1:80"],
];

suite("Workload Endpoint 4: addresses", () => {
  for (const [vector, text, address] of valid) {
    test(`${vector} accepts ${text.slice(0, 40)}`, () => {
      assert.deepEqual(parseEndpointAddress(text), address);
      assert.deepEqual(parseEndpointAddress(formatEndpointAddress(address)), address);
    });
  }

  for (const [vector, ...texts] of invalid) {
    for (const text of texts) {
      test(`${vector} refuses ${JSON.stringify(text)}`, () => {
        assert.throws(() => parseEndpointAddress(text), spiffeRefused("endpoint_address"));
      });
    }
  }

  test("AD-30b accepts a host name where a broker is meant", () => {
    const options = { allowHostNames: true };
    const text = "tcp://broker.example.com:8443";
    assert.deepEqual(parseEndpointAddress(text, options), tcp("broker.example.com", 8443));
    for (const wrong of ["tcp://-.:80", "tcp://a..b:80", "tcp://300.1.1.1:80"]) {
      assert.throws(() => parseEndpointAddress(wrong, options), spiffeRefused("endpoint_address"));
    }
  });
});

suite("Workload Endpoint 4: where the address comes from", () => {
  test("AD-33 what is given explicitly wins over the environment", () => {
    assert.deepEqual(resolveEndpointAddress("unix:///a", "unix:///b"), unix("/a"));
    assert.deepEqual(resolveEndpointAddress(undefined, "unix:///b"), unix("/b"));
  });

  test("AD-34 there is no default", () => {
    assert.throws(
      () => resolveEndpointAddress(undefined, undefined),
      spiffeRefused(
        "endpoint_not_configured",
        "no endpoint address is given and SPIFFE_ENDPOINT_SOCKET is not set",
      ),
    );
  });

  test("AD-35 an empty environment variable is an error", () => {
    assert.throws(() => resolveEndpointAddress(undefined, ""), spiffeRefused("endpoint_address"));
  });
});
