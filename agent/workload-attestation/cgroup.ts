/**
 * Reads what a process's cgroup says about where it runs: the path that tells one unit of work from
 * another, the container, and the systemd unit. Covers cgroup v1, v2 and hybrid hierarchies, see
 * cgroups(7).
 */

export interface CgroupFacts {
  /** The most telling path: the one that names a container or unit, else the longest; "/" at least. */
  readonly path: string;
  /** 64 hexadecimal digits, when a path component carries a container ID; of nested ones the innermost. */
  readonly containerId?: string;
  /**
   * For example "nginx.service"; never a user manager or a login session. Below another unit it carries that one's name too, as
   * in "user@1000.service/mail.service": whoever may make cgroups below its own can name them as it likes.
   */
  readonly systemdUnit?: string;
  /** The container with the units and containers around it, for the same reason; usually no more than its ID. */
  readonly containerPath?: string;
}

const maxLines = 64;
const containerPattern = /(?:^|[^0-9a-f])([0-9a-f]{64})(?:$|[^0-9a-f])/;

/** The paths in the text of /proc/PID/cgroup, one of each hierarchy; lines of another form are passed over. */
export function cgroupPaths(text: string): readonly string[] {
  return text
    .split("\n", maxLines)
    .map((line) => /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1])
    .filter((path) => path !== undefined);
}

/**
 * A path down to its outermost container, for whoever counts what is in it as one: what stands below, the container may have made.
 * Undefined for a path without one.
 */
export function containerHead(path: string): string | undefined {
  const components = path.split("/");
  const outermost = components.findIndex((component) => containerPattern.test(component));
  return outermost < 0 ? undefined : components.slice(0, outermost + 1).join("/");
}

/**
 * Parses the text of /proc/PID/cgroup.
 *
 * @throws {Error} when no line has the form `hierarchy:controllers:path`
 */
export function parseCgroup(text: string): CgroupFacts {
  const paths = cgroupPaths(text);
  if (paths.length === 0) throw new Error("cgroup file names no path");
  const ranked = paths.map((path) => ({ path, ...factsOf(path) }));
  const best = ranked.reduce((a, b) => (rank(b) > rank(a) ? b : a));
  return best;
}

function factsOf(path: string): Omit<CgroupFacts, "path"> {
  const components = path.split("/");
  const units = components.filter((c) => c.endsWith(".service"));
  const containers = components.flatMap((c) => containerPattern.exec(c)?.[1] ?? []);
  const containerId = containers.at(-1);
  const isUnit = units.length > 0 && !units.at(-1)?.startsWith("user@");
  return {
    ...(containerId && { containerId, containerPath: [...units, ...containers].join("/") }),
    ...(isUnit && { systemdUnit: units.join("/") }),
  };
}

/** A container beats a unit beats a bare path; among equals the longer path is the finer one. */
function rank(facts: CgroupFacts): number {
  const kind = facts.containerId ? 2 : facts.systemdUnit ? 1 : 0;
  return kind * 1e6 + facts.path.length;
}
