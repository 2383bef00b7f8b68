import * as zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import type { CompressionCodec } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { readVarint } from './runs.ts'

/**
 * The bytes of a page that is packed by `codec`; they must be `size`, and no more memory is taken whatever `packed` says.
 * @throws Error for damaged bytes, another size, or a codec that is not known
 */
export function unpack(codec: CompressionCodec | undefined, packed: Uint8Array, size: number): Uint8Array {
  // A column of nulls has pages without a value, which not every codec unpacks.
  if (size === 0) return new Uint8Array()
  const page = codec === undefined ? undefined : unpackers[codec]?.(packed, size)
  if (page === undefined) throw new Error(`${codec ?? 'a codec that is not known'}, which is not unpacked`)
  if (page.length !== size) throw new Error(`a page of ${page.length} bytes instead of ${size}`)
  return page
}

type Unpacker = (packed: Uint8Array, size: number) => Uint8Array

const unpackers: Readonly<Partial<Record<CompressionCodec, Unpacker>>> = {
  SNAPPY: (packed, size) => {
    // What is missing would be left over from an earlier page.
    requireSize(readVarint(packed, 0).value, size)
    return compressors.SNAPPY!(packed, size)
  },
  GZIP: (packed, size) => zlib.gunzipSync(packed, { maxOutputLength: size }),
  BROTLI: (packed, size) => zlib.brotliDecompressSync(packed, { maxOutputLength: size }),
  ZSTD: unpackZstd,
  LZ4_RAW: unpackLz4,
  LZ4: (packed, size) => {
    const blocks = hadoopBlocks(packed)
    if (blocks === undefined) return unpackLz4(packed, size)
    requireSize(
      blocks.reduce((sum, block) => sum + block.size, 0),
      size,
    )
    return Buffer.concat(blocks.map((block) => unpackLz4(block.packed, block.size)))
  },
}

/** Piece by piece: what a frame says of its size is memory that would be taken. */
function unpackZstd(packed: Uint8Array, size: number): Uint8Array {
  requireWindow(packed, size)
  const page = new Uint8Array(size)
  let at = 0
  const stream = new Decompress((piece) => {
    requireSize(Math.max(size, at + piece.length), size)
    page.set(piece, at)
    at += piece.length
  })
  stream.push(packed, true)
  requireSize(at, size)
  return page
}

/** RFC 8878, 3.1.1.1: the first frame's window, or its size where it has none. */
function requireWindow(packed: Uint8Array, size: number): void {
  const descriptor = packed[4] ?? 0
  const isSingle = (descriptor & 0x20) !== 0
  if (isSingle) {
    const start = 5 + [0, 1, 2, 4][descriptor & 3]!
    const bytes = [1, 2, 4, 8][descriptor >> 6]!
    let said = bytes === 2 ? 256 : 0
    for (let i = 0; i < bytes; i++) said += (packed[start + i] ?? 0) * 2 ** (8 * i)
    return requireSize(said, size)
  }
  const window = packed[5] ?? 0
  const base = 2 ** (10 + (window >> 3))
  if (base + (base / 8) * (window & 7) > MAX_WINDOW) throw new Error('a frame that needs too much memory')
}

/** What `zstd -19` uses is 8 MB, its largest without `--ultra`. */
const MAX_WINDOW = 2 ** 27

function unpackLz4(packed: Uint8Array, size: number): Uint8Array {
  requireSize(lz4Size(packed), size)
  return compressors.LZ4_RAW!(packed, size)
}

/** Blocks as Hadoop wrote them, each behind its two sizes, high bytes first; undefined where it is one block without. */
function hadoopBlocks(packed: Uint8Array): { readonly size: number; readonly packed: Uint8Array }[] | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const blocks = []
  for (let at = 0; at < packed.length;) {
    if (at + 8 > packed.length) return undefined
    const [size, length] = [view.getUint32(at), view.getUint32(at + 4)]
    at += 8
    if (length > packed.length - at) return undefined
    blocks.push({ size, packed: packed.subarray(at, at + length) })
    at += length
  }
  return blocks
}

/** How many bytes a block of LZ4 makes. */
function lz4Size(packed: Uint8Array): number {
  let size = 0
  let at = 0
  const extended = (nibble: number): number => {
    let length = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) byte = packed[at++] ?? 0
    return length
  }
  while (at < packed.length) {
    const token = packed[at++]!
    const literals = extended(token >> 4)
    at += literals
    size += literals
    // The last sequence has no match.
    if (at >= packed.length) break
    at += 2
    size += extended(token & 15) + 4
  }
  return size
}

function requireSize(got: number, size: number): void {
  if (got !== size) throw new Error(`a page of ${got} bytes instead of ${size}`)
}
