/** What a figure is held against. */
export interface Reference {
  /** SPIRE 1.16-dev with its controller-manager on a cluster like this one, median / largest of at least 20, in seconds. */
  readonly spire: string;
  /** At most, median / p99, in seconds unless it says otherwise. */
  readonly target: string;
}

/** By the name of the figure. */
export const references: Readonly<Record<string, Reference>> = {
  "pod asked for -> process start": { spire: "0.54 / 0.65", target: "" },
  "process start -> first SVID, new pod": {
    spire: "6.5 / 10.5, 2 or 3 refusals",
    target: "0.10 / 0.40",
  },
  "the same, second pod of a service account": { spire: "6.3 / 10.5", target: "0.10 / 0.40" },
  "new process in a running pod -> SVID": { spire: "0.009 / 0.032", target: "0.008 / 0.030" },
  "container restarted -> SVID": { spire: "0.51 / 0.52", target: "0.10 / 0.25" },
  "DNS template changed -> all of 10 pods have it": { spire: "3.5 / 9.4", target: "0.10 / 0.30" },
  "label taken away -> stream ends": { spire: "3.5 / 7.9", target: "0.05 / 0.20" },
  "label given back -> SVID": { spire: "5.2 / 6.0", target: "" },
  "pod object gone -> entry gone": { spire: "0.06 / 10.7", target: "0.05 / 0.20" },
  "50 pods at once: process start -> SVID": { spire: "2.6 / 7.0", target: "0.10 / 0.50" },
  "50 pods at once: last process start -> last SVID": { spire: "2.3", target: "0.5" },
  "agent killed -> its new process": { spire: "0.99 / 1.08", target: "" },
  "agent's new process -> streams back": { spire: "", target: "0.4" },
  "agent killed -> streams back": { spire: "3.0 / 3.0", target: "1.5 / 1.8" },
  "server stopped, agent killed -> streams back": {
    spire: "0 of 10 in 75 s",
    target: "1.5 / 1.8",
  },
  "streams interrupted by the server's return": { spire: "all, 44 / 60 s", target: "none" },
  "agent, 1 pod": { spire: "60 (15)", target: "80 MB" },
  "agent, 50 pods": { spire: "73 to 94 (28 to 48)", target: "90 MB" },
  "agent, 100 pods": { spire: "105 (60)", target: "100 MB" },
  "server and registrar, 100 pods": { spire: "103 + 51", target: "190 MB" },
};
