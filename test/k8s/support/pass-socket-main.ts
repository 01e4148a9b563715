// Speaks on a connection that another process opened. As "connect" it opens one, starts itself as "speak" with the connection in
// hand, prints its number and stays until its standard input ends. As "speak" it moves into a cgroup, waits for a file, asks for an
// X509-SVID, and prints how that went.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const [, script = "", role = "", socketPath = "", cgroup = "", goFile = "", outFile = ""] =
  process.argv;

if (role === "connect") {
  const socket = connect(socketPath, () => {
    const args = [script, "speak", socketPath, cgroup, goFile, outFile];
    const stdio = ["ignore", "ignore", "ignore", socket] as const;
    const child = spawn(process.execPath, args, { stdio: [...stdio], detached: true });
    child.unref();
    process.stdout.write(`${process.pid}\n`);
    process.stdin.resume().on("end", () => process.exit());
  });
} else {
  for (const hierarchy of readdirSync("/sys/fs/cgroup")) {
    const procs = join("/sys/fs/cgroup", hierarchy, cgroup, "cgroup.procs");
    if (existsSync(procs)) writeFileSync(procs, String(process.pid));
  }
  while (!existsSync(goFile)) await wait(50);
  const session = connectHttp2("http://localhost", {
    createConnection: () => new Socket({ fd: 3 }),
  });
  const say = (answer: object): void => {
    writeFileSync(`${outFile}.part`, JSON.stringify(answer));
    process.exit();
  };
  session.on("error", () => say({ closed: true }));
  const call = session.request({
    ":method": "POST",
    ":path": "/SpiffeWorkloadAPI/FetchX509SVID",
    "content-type": "application/grpc",
    te: "trailers",
    "workload.spiffe.io": "true",
  });
  let bytes = Buffer.alloc(0);
  call.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const id = /spiffe:\/\/example\.test(\/\w+)/.exec(bytes.toString("latin1"))?.[1];
    if (id !== undefined) say({ id });
  });
  const refused = (headers: { readonly [name: string]: unknown }): void => {
    if (headers["grpc-status"] !== undefined) say({ code: Number(headers["grpc-status"]) });
  };
  call.on("response", refused).on("trailers", refused);
  call.on("close", () => say({ closed: true }));
  call.end(Buffer.alloc(5));
}
