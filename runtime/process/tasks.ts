/**
 * Runs loops side by side under one signal. The first that fails aborts the others and, once all have ended, is the result;
 * a task that returns leaves the others running. Resolves when all have ended, which they do after `signal` aborts.
 *
 * @throws {Error} "running <name>" with the task's error as cause. Failures that follow the first are not reported: they are
 *   mostly its consequence.
 */
export async function runTasks(
  tasks: Readonly<Record<string, (signal: AbortSignal) => Promise<void>>>,
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let failure: Error | undefined;
  const run = async (name: string, task: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await task(either);
    } catch (cause) {
      failure ??= new Error(`running ${name}`, { cause });
      failed.abort(failure);
    }
  };
  await Promise.all(Object.entries(tasks).map(([name, task]) => run(name, task)));
  if (failure !== undefined) throw failure;
}
