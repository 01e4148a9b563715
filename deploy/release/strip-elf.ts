/**
 * Cuts off what no segment of a 64-bit ELF program holds: symbol tables, debug data and the list of sections. None of it is loaded when
 * the program runs; of Node's file it is a quarter. The format: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html.
 *
 * @throws {Error} for anything but a little-endian 64-bit ELF file
 */
export function stripElf(program: Buffer): Buffer {
  const identity = program.subarray(0, 6).toString("latin1");
  if (identity !== "\x7fELF\x02\x01") throw new Error("not a little-endian 64-bit ELF file");
  const segmentsAt = Number(program.readBigUInt64LE(32));
  const segmentBytes = program.readUInt16LE(54);
  const segments = program.readUInt16LE(56);
  let end = segmentsAt + segments * segmentBytes;
  for (let index = 0; index < segments; index++) {
    const at = segmentsAt + index * segmentBytes;
    const offset = Number(program.readBigUInt64LE(at + 8));
    end = Math.max(end, offset + Number(program.readBigUInt64LE(at + 32)));
  }
  const stripped = Buffer.from(program.subarray(0, end));
  // No list of sections: where it is, how many, and which one has their names.
  stripped.writeBigUInt64LE(0n, 40);
  stripped.writeUInt16LE(0, 60);
  stripped.writeUInt16LE(0, 62);
  return stripped;
}
