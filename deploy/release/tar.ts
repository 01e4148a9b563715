import type { TreeEntry, TreeFolder } from "./file-tree.ts";

const blockBytes = 512;

/** What all entries of an archive share. */
export interface TarOptions {
  /** Time of change of every entry. */
  readonly modifiedAt: Date;
}

/**
 * Packs entries and the folders that lead to them as a POSIX.1-1988 (ustar) archive. Sorted, owned by root, all of one time: the same
 * entries give the same bytes.
 *
 * @throws {Error} for a path that the format has no room for
 */
export function packTar(entries: readonly TreeEntry[], options: TarOptions): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const blocks: Uint8Array[] = [];
  for (const { path, mode, owner } of foldersOf(sorted)) {
    blocks.push(header({ path: `${path}/`, mode, type: "5", size: 0, owner }, options));
  }
  for (const entry of sorted) {
    const { path } = entry;
    if (isFolder(entry)) continue;
    if ("target" in entry) {
      const { target: link } = entry;
      blocks.push(header({ path, mode: 0o777, type: "2", size: 0, link }, options));
      continue;
    }
    const contents = Buffer.from(entry.contents);
    const { length: size } = contents;
    blocks.push(header({ path, mode: entry.mode, type: "0", size }, options), contents);
    blocks.push(Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

/** Those that are named, and every other one above an entry; parents first. */
function foldersOf(entries: readonly TreeEntry[]): readonly Required<TreeFolder>[] {
  const folders = new Map<string, Required<TreeFolder>>();
  for (const { path } of entries) {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const above = parts.slice(0, depth).join("/");
      folders.set(above, { path: above, mode: 0o755, owner: 0 });
    }
  }
  for (const folder of entries.filter(isFolder)) folders.set(folder.path, { owner: 0, ...folder });
  return [...folders.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isFolder(entry: TreeEntry): entry is TreeFolder {
  return !("contents" in entry) && !("target" in entry);
}

interface Header {
  readonly path: string;
  readonly mode: number;
  /** 0 file, 2 symbolic link, 5 folder. */
  readonly type: "0" | "2" | "5";
  readonly size: number;
  readonly link?: string;
  readonly owner?: number;
}

function header(
  { path, mode, type, size, link = "", owner = 0 }: Header,
  { modifiedAt }: TarOptions,
): Buffer {
  const block = Buffer.alloc(blockBytes);
  const [prefix, name] = splitPath(path);
  const text = (value: string, offset: number, length: number): void => {
    if (block.write(value, offset, length) < Buffer.byteLength(value)) {
      throw new Error(`no room in a tar header for ${JSON.stringify(value)}`);
    }
  };
  const number = (value: number, offset: number, digits: number): void =>
    text(value.toString(8).padStart(digits, "0"), offset, digits);
  text(name, 0, 100);
  number(mode, 100, 7);
  number(owner, 108, 7);
  number(owner, 116, 7);
  number(size, 124, 11);
  number(Math.floor(modifiedAt.getTime() / 1000), 136, 11);
  text(type, 156, 1);
  text(link, 157, 100);
  text("ustar\x0000", 257, 8);
  text(prefix, 345, 155);
  // The sum is taken with spaces in its own place.
  block.fill(" ", 148, 156);
  number(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  block[154] = 0;
  return block;
}

/** A long path is cut at a slash into a prefix of at most 155 bytes and a name of at most 100. */
function splitPath(path: string): readonly [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ["", path];
  const cut = path.indexOf("/", path.length - 101);
  return cut < 0 ? ["", path] : [path.slice(0, cut), path.slice(cut + 1)];
}
