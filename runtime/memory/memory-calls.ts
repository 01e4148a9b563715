import koffi from "koffi";
import type { Mapping } from "./unmodified-files.ts";

/** The same on x64 and arm64: asm-generic/mman-common.h. */
const MADV_DONTNEED = 4;

/** What is asked of the C library about memory. */
export interface MemoryCalls {
  /** Gives free memory of the allocator back, where the library can: the GNU one. */
  trim(): void;
  /** Takes a mapping's pages out of the page table. What is read there later is the file's again; what was written there is lost. */
  letGo(mapping: Mapping): void;
}

/** Linux only. */
export function openMemoryCalls(): MemoryCalls {
  const libc = koffi.load(null);
  const madvise = libc.func("int madvise(uintptr_t start, size_t bytes, int advice)");
  let mallocTrim: ((keep: number) => number) | undefined;
  try {
    mallocTrim = libc.func("int malloc_trim(size_t keep)");
  } catch {
    mallocTrim = undefined;
  }
  return {
    trim: () => {
      mallocTrim?.(0);
    },
    letGo: ({ start, bytes }) => {
      madvise(start, bytes, MADV_DONTNEED);
    },
  };
}
