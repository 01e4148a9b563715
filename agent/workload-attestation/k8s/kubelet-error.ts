import type { HttpsProblem } from "./bearer-https.ts";

/** Why a kubelet gave no list of pods, in the words of the log, the metrics and `assay why`. */
export type KubeletProblem = `kubelet_${HttpsProblem}`;

/** A question to the kubelet that was not answered. The message is for operators and tells what would help. */
export class KubeletError extends Error {
  override readonly name = "KubeletError";
  readonly problem: KubeletProblem;

  constructor(problem: KubeletProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
