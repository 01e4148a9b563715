// One process cannot starve a node: its connections are limited by uid and cgroup, and others are served meanwhile.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { json } from "node:stream/consumers";
import { describe, it } from "node:test";
import { X509Source } from "../../spiffe/client.ts";
import { requires } from "../support/requires.ts";
import { clockAtTestNow, WorkloadMachine } from "../support/workload-machine.ts";

const connections = 10_000;
const limit = 64;
const hostileUid = 61_234;

/** Opens connections as fast as it can, holds those that are not closed, and reports how it went. */
const hostile = `
  const { connect } = require("node:net");
  let opened = 0, refused = 0, started = 0;
  const next = () => {
    if (started === ${connections}) return;
    started += 1;
    let counted = false;
    const settle = (kept) => {
      if (counted) return;
      counted = true;
      if (kept) opened += 1; else refused += 1;
      if (opened + refused === ${connections}) {
        process.stdout.write(JSON.stringify({ opened, refused }), () => process.exit());
      }
      next();
    };
    const socket = connect(process.argv[1]);
    socket.on("error", () => settle(false)).on("close", () => settle(false));
    socket.on("connect", () => setTimeout(() => settle(true), 300));
  };
  for (let i = 0; i < 200; i += 1) next();
`;

describe("a hostile workload", () => {
  if (!requires("root")) return;

  it(`opens ${connections} connections, and another user is served all along`, async () => {
    await using machine = await WorkloadMachine.open({ maxConnectionsPerCaller: limit });
    machine.views.grant("/web");
    const child = spawn(process.execPath, ["-e", hostile, machine.address.replace("unix://", "")], {
      uid: hostileUid,
      gid: hostileUid,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const report = json(child.stdout) as Promise<{ opened: number; refused: number }>;
    let served = 0;
    let isOver = false;
    void exited.then(() => {
      isOver = true;
    });
    while (!isOver) {
      await using source = await X509Source.open({
        address: machine.address,
        clock: clockAtTestNow,
        signal: AbortSignal.timeout(30_000),
      });
      assert.equal(source.x509Svid().id.path, "/web");
      served += 1;
    }
    const { opened, refused } = await report;
    assert.equal(opened + refused, connections);
    assert.ok(opened > 0 && refused > opened, `${opened} opened, ${refused} refused`);
    assert.ok(served > 1, `another user was served ${served} times`);
  });
});
