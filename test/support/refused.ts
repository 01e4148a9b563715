import { Status } from "../../runtime/errors/status-error.ts";

/** What `assert.throws` and `assert.rejects` compare with: a request was refused with exactly this message. */
export function refused(message: string): { name: string; code: number; message: string } {
  return { name: "StatusError", code: Status.INVALID_ARGUMENT, message };
}
