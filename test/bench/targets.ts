/** Whether a target is a floor or a ceiling. */
export type Bound = "at least" | "at most";

/** One figure of a benchmark, and what it should be. */
export interface Target {
  /** The row of the benchmark that holds it, and its name there. */
  readonly row: string;
  readonly figure: string;
  readonly bound: Bound;
  /** The first one, then the ones beyond it; in the unit that the table shows, so memory in MB and kB of powers of ten. */
  readonly limits: readonly number[];
}

/** A line of the table of targets. */
export interface TargetLine {
  readonly title: string;
  /** What SPIRE 1.16-dev was measured to do on a machine of the same kind; empty where nobody measured it. */
  readonly spire: string;
  readonly targets: readonly Target[];
}

function atLeast(row: string, figure: string, ...limits: number[]): Target {
  return { row, figure, bound: "at least", limits };
}

function atMost(row: string, figure: string, ...limits: number[]): Target {
  return { row, figure, bound: "at most", limits };
}

const created = "entry created to SVID in the stream";
const deleted = "entry deleted to gone from the stream";
const issue50 = "issue, batches of 50, 4 callers";
const issue4 = "issue, batches of 1, 4 callers";
const issue32 = "issue, batches of 1, 32 callers";

function pushLine(title: string, row: string, spire: string): TargetLine {
  return { title, spire, targets: [atMost(row, "p50", 15), atMost(row, "p99", 50)] };
}

function startLine(
  title: string,
  row: string,
  spire: string,
  megabytes: number,
  ms: number,
): TargetLine {
  const figures = [atMost(row, "resident", megabytes), atMost(row, "idle", 0.005)];
  return { title, spire, targets: [...figures, atMost(row, "start", ms)] };
}

/** Every target that the project has set itself, in the order of the page. */
export const targetLines: readonly TargetLine[] = [
  {
    title: "X509-SVIDs per core-second, batches of 50, 4 callers",
    spire: "3,000 to 3,500",
    targets: [atLeast(issue50, "rate of a core", 6_500, 7_500)],
  },
  {
    title: "the same by the clock, two cores",
    spire: "5,600 to 6,550",
    targets: [atLeast(issue50, "rate", 11_000)],
  },
  {
    title: "X509-SVIDs per core-second, one by one, 4 callers",
    spire: "1,210 to 1,570",
    targets: [atLeast(issue4, "rate of a core", 3_500)],
  },
  {
    title: "the same, 32 callers",
    spire: "1,700 to 1,950",
    targets: [atLeast(issue32, "rate of a core", 4_500)],
  },
  {
    title: "JWT-SVIDs per core-second, 4 callers",
    spire: "1,890 to 2,340",
    targets: [atLeast("jwt, 4 callers", "rate of a core", 5_500)],
  },
  {
    title: "the same, 32 callers",
    spire: "2,600 to 3,140",
    targets: [atLeast("jwt, 32 callers", "rate of a core", 9_000)],
  },
  {
    title: "X509-SVIDs one by one, 4 callers: call p99",
    spire: "5.8 to 7 ms",
    targets: [atMost(issue4, "call p99", 4)],
  },
  pushLine("entry created to SVID in an open stream, p50 / p99", `push, ${created}`, "4.6 / 5.1 s"),
  pushLine("among 100,000 entries", `push among 100000 entries, ${created}`, "5.5 / 9.8 s"),
  pushLine("among 1,000,000 entries", `push among 1000000 entries, ${created}`, ""),
  pushLine(
    "entry deleted to withdrawn from the stream, p50 / p99",
    `push, ${deleted}`,
    "4.6 / 5.4 s",
  ),
  pushLine("among 100,000 entries", `push among 100000 entries, ${deleted}`, "4.7 / 10.9 s"),
  pushLine("among 1,000,000 entries", `push among 1000000 entries, ${deleted}`, ""),
  {
    title: "entries created a second, batches of 500, to 100,000",
    spire: "895",
    targets: [atLeast("entries, 100000 in batches of 500", "rate", 15_000)],
  },
  {
    title: "to 1,000,000",
    spire: "not reached",
    targets: [atLeast("entries, 1000000 in batches of 500", "rate", 10_000)],
  },
  startLine(
    "server with 100,000 entries: resident / idle / start",
    "server with 100000 entries, started anew",
    "392 MB / 0.24 cores / 2.7 s",
    220,
    1_500,
  ),
  startLine(
    "server with 1,000,000 entries: resident / idle / start",
    "server with 1000000 entries, started anew",
    "",
    900,
    12_000,
  ),
  {
    title: "server with 10,000 connected idle agents: each / idle / a new authority with all",
    spire: "agents ask every 5 s",
    targets: [
      atMost("agents, 10000", "memory each", 130, 100),
      atMost("agents, 10000", "idle", 0.02),
      atMost("agents, 10000", "new authority with all", 5_000),
    ],
  },
  {
    title: "agent with 100 workloads in as many processes: resident / anonymous / idle",
    spire: "66 to 69 MB / 19 MB / 0.001 cores",
    targets: [
      atMost("agent with 100 workloads", "resident", 95, 80),
      atMost("agent with 100 workloads", "anonymous", 45, 32),
      atMost("agent with 100 workloads", "idle", 0.002),
    ],
  },
  {
    title: "agent with 100 instances of one entry: resident / first answer p50",
    spire: "one shared SVID",
    targets: [
      atMost("agent with 100 instances of one entry", "resident", 105),
      atMost("first answer beside 100 instances of the same entry", "p50", 1.5),
    ],
  },
  {
    title: "agent with 450 SDS streams: resident",
    spire: "about 3.5 GB, reported once",
    targets: [atMost("sds, agent with 450 streams", "resident", 180)],
  },
  {
    title: "agent started without its server, to its first answer, p50",
    spire: "needs the server",
    targets: [atMost("agent started without its server, until its first answer", "p50", 400)],
  },
  {
    title: "first answer on a new connection, p50 / p99",
    spire: "0.79 / 5.3 ms",
    targets: [
      atMost("first answer on a new connection", "p50", 1),
      atMost("first answer on a new connection", "p99", 5),
    ],
  },
  {
    title: "longest first answer while an agent renews 1,000 SVIDs",
    spire: "",
    targets: [atMost("first answers while an agent renews 1000 SVIDs", "longest", 20)],
  },
  {
    title: "1,000 agents back after a restart of the server: all served / refused",
    spire: "",
    targets: [
      atMost("agents, 1000, after a restart of the server", "all back after it was ready", 20_000),
      atMost("agents, 1000, after a restart of the server", "refused after it was ready"),
    ],
  },
];
