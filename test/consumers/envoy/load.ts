// Requests at a steady rate, and what became of them.

import { setTimeout as wait } from "node:timers/promises";
import type { Pool } from "undici";

export interface Load {
  readonly seconds: number;
  readonly perSecond: number;
}

/** Status and the beginning of the body. */
export async function ask(pool: Pool): Promise<string> {
  const { statusCode, body } = await pool.request({ path: "/", method: "GET" });
  return `${statusCode} ${(await body.text()).slice(0, 300)}`;
}

/** Requests at a steady rate, whatever becomes of the ones before. Returns how many. @param failures gets every answer but "hello" */
export async function load(pool: Pool, how: Load, failures: string[]): Promise<number> {
  const { seconds, perSecond } = how;
  const tickMs = 10;
  const started = performance.now();
  const open = new Set<Promise<void>>();
  let sent = 0;
  while (performance.now() - started < seconds * 1_000) {
    const due = ((performance.now() - started) / 1_000) * perSecond;
    for (; sent < due; sent++) {
      const one = ask(pool)
        .then((answer) => void (answer === "200 hello" || failures.push(answer)))
        .catch((err: unknown) => void failures.push(String(err)))
        .finally(() => open.delete(one));
      open.add(one);
    }
    await wait(tickMs);
  }
  await Promise.all(open);
  return sent;
}
