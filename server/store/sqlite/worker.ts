// The store's worker thread: the only place where SQLite runs. Its other end is sqlite-store.ts.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { readState } from "../operations/store-state.ts";
import { backUp } from "./backup.ts";
import type { OpenDatabase } from "./database.ts";
import { LockFile } from "./lock-file.ts";
import type { Report, Task, WorkerSetup } from "./messages.ts";
import { openStore } from "./open-store.ts";
import { sendError } from "./sent-error.ts";
import { answer, StoreWorker } from "./store-worker.ts";

if (parentPort === null) throw new Error("this file runs only as a worker thread");
await serve(parentPort, workerData);

async function serve(port: MessagePort, setup: WorkerSetup): Promise<void> {
  const report = (message: Report): void => port.postMessage(message);
  let lock: LockFile | undefined;
  let database: OpenDatabase;
  try {
    lock = LockFile.acquire(setup.path, process.pid);
    database = await openStore(setup);
  } catch (err) {
    lock?.[Symbol.dispose]();
    report({ kind: "failed", error: sendError(err) });
    port.close();
    return;
  }
  const { incarnation, revision } = await readState(database.db);
  const worker = new StoreWorker(database, report);
  const backups = new Set<Promise<void>>();
  port.on("message", (tasks: readonly Task[]) => {
    worker.accept(tasks);
    for (const task of tasks) {
      if (task.kind === "backup") {
        const running = answer(task.id, () => backUp(database.handle, task.path))
          .then((done) => report({ kind: "answers", answers: [done] }))
          .finally(() => backups.delete(running));
        backups.add(running);
      } else if (task.kind === "close") {
        void close(task.id);
      }
    }
  });
  report({ kind: "open", incarnation, revision: BigInt(revision) });

  async function close(id: number): Promise<void> {
    await worker.idle();
    await Promise.all(backups);
    database.handle.close();
    lock?.[Symbol.dispose]();
    report({ kind: "answers", answers: [{ id, ok: true, output: undefined }] });
    port.close();
  }
}
