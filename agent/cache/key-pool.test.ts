import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCsr } from "../../spiffe/x509/csr.ts";
import { KeyPool } from "./key-pool.ts";

for (const size of [0, 3]) {
  test(`a pool of ${size} gives no key twice, however many are asked for`, async () => {
    const pool = new KeyPool("ec-p256", size);
    const taken = await Promise.all(Array.from({ length: 5 }, () => pool.take()));
    // By now it had turns to refill itself.
    for (let i = 0; i < 10; i++) {
      await new Promise(setImmediate);
      taken.push(await pool.take());
    }
    const keys = taken.map(({ bytes }) => Buffer.from(bytes.spkiDer).toString("hex"));
    assert.equal(new Set(keys).size, 15);
  });
}

for (const type of ["ec-p256", "ec-p384", "rsa-2048"] as const) {
  test(`an ${type} key comes with a request that it signed and that names nobody`, async () => {
    const { pair, bytes, csr } = await new KeyPool(type, 0).take();
    const parsed = parseCsr(csr);
    assert.ok(parsed.verifySignature());
    assert.deepEqual(parsed.uriSans, []);
    assert.deepEqual(parsed.dnsSans, []);
    assert.ok(parsed.publicKey.equals(pair.publicKey));
    assert.deepEqual(
      parsed.publicKey.export({ format: "der", type: "spki" }),
      Buffer.from(bytes.spkiDer),
    );
  });
}
