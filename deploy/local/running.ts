import { once } from "node:events";
import { connect } from "node:net";
import type { Layout } from "./layout.ts";

/** @throws {Error} when the processes of an earlier start still run */
export async function refuseSecondStart(layout: Layout): Promise<void> {
  if ((await answers(layout.adminSocket)) || (await answers(layout.workloadSocket))) {
    throw new Error(
      `already running with the state in ${layout.home}; end it with Ctrl-C where it was started, or set ASSAY_HOME to another folder`,
    );
  }
}

/** Whether somebody listens on a Unix socket. */
export async function answers(socketPath: string): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
