// The page on PostgreSQL, with the real server and psql: rotations of both sides under queries that never stop.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { FilesWorld, PATIENCE } from "../support/files-world.ts";
import { trustDomain } from "../support/machine.ts";
import {
  postgresPidFile,
  postgresSerial,
  postgresUser,
  startPostgres,
} from "../support/postgres-server.ts";
import { requires } from "../support/requires.ts";
import { LiveSession, query, SteadyQueries } from "../support/steady-queries.ts";

const PAGE = "postgresql.md";
const isLong = process.env["ASSAY_TEST_LONG"] === "1";
const ROTATIONS = isLong ? 30 : 3;
const QUERIES_EACH = isLong ? 100 : 10;

if (requires("linux", "postgres")) {
  test("PostgreSQL and its clients go through rotations without a failed query", async (t) => {
    await using world = await FilesWorld.open();
    await world.grant("/postgres", "localhost");
    await world.grant("/orders", "orders.db");
    const port = await world.port("5432");
    world.places.set("db.example.org", "localhost");
    world.places.set("owner: postgres", `owner: "${postgresUser}"`);
    world.places.set("/run/postgresql/15-main.pid", postgresPidFile(world));
    for (const name of ["postgres-identity", "orders-identity"]) {
      world.places.set(`/run/${name}`, world.dir.join(name));
    }
    const as = (path: string) => `identity: { spiffeId: "spiffe://${trustDomain}${path}" }`;
    await world.startFiles("server", `${await world.block(PAGE, "yaml")}${as("/postgres")}`);
    const client = await world.block(PAGE, "yaml", 1);
    await world.startFiles("client", `${client}${as("/orders")}`);
    const serverFile = world.dir.join("postgres-identity", "svid.pem");
    const clientFile = world.dir.join("orders-identity", "svid.pem");
    for (const file of [serverFile, clientFile]) await world.serialIn(file);

    await startPostgres(world, {
      port,
      role: "orders",
      settings: await world.block(PAGE, "ini"),
      hba: await world.block(PAGE, "hba"),
      ident: await world.block(PAGE, "ident"),
    });
    const psql = world.dir.join("psql.sh");
    await writeFile(psql, await world.block(PAGE, "sh"));

    await using session = new LiveSession(psql);
    const backend = await session.ask("select pg_backend_pid()");
    await using steady = new SteadyQueries(psql);
    for (let i = 0; i < ROTATIONS; i++) {
      const serial = await world.rotateInFile("/postgres", serverFile);
      await world.rotateInFile("/orders", clientFile);
      await eventually(
        "PostgreSQL with the new certificate",
        async () => ((await postgresSerial(port)) === serial ? true : undefined),
        PATIENCE,
      );
      const done = steady.done + QUERIES_EACH;
      await eventually("more queries", () => steady.done >= done || undefined, PATIENCE);
      assert.equal(await session.ask("select pg_backend_pid()"), backend);
    }
    assert.deepEqual(steady.failures, []);
    t.diagnostic(`${steady.done} sessions over ${ROTATIONS} rotations of both sides`);

    // A certificate of the trust domain with another name.
    const stranger = world.dir.join("stranger.sh");
    const script = await world.block(PAGE, "sh");
    await writeFile(stranger, script.replaceAll("orders-identity", "postgres-identity"));
    const { code, output } = await query(stranger, "select 1");
    assert.notEqual(code, 0);
    assert.match(output, /certificate authentication failed for user "orders"/);
  });
}
