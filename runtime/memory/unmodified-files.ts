/** A part of this process's address space. */
export interface Mapping {
  readonly start: bigint;
  readonly bytes: bigint;
}

/**
 * The mappings of files that cannot be written to and have no page of their own: whatever is read there is the file's.
 *
 * A part that the loader wrote to before it was made read-only (RELRO) is not among them: what it wrote is nowhere else.
 *
 * @param smaps text of proc_pid_smaps(5)
 */
export function unmodifiedFiles(smaps: string): readonly Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((mapping) => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ [1-9]\d* +\//.exec(mapping);
    const own = /^Anonymous: +(\d+) kB$/m.exec(mapping)?.[1];
    if (head === null || own !== "0") return [];
    const [start, end] = [BigInt(`0x${head[1]}`), BigInt(`0x${head[2]}`)];
    return [{ start, bytes: end - start }];
  });
}
