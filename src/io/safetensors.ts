import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { ArmatureError } from '../core/errors.ts'
import type { DType, NamedArrays, NdArray, NdData } from '../core/ndarray.ts'
import { dtypeOf, sizeOf } from '../core/ndarray.ts'
import { isFileError } from './atomic.ts'

/** Text notes in a safetensors header. */
export type SafetensorsMetadata = Readonly<Record<string, string>>

/** What a safetensors file holds. */
export interface SafetensorsContent {
  readonly arrays: NamedArrays
  readonly metadata: SafetensorsMetadata
}

interface Entry {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

const CODE_OF = { float32: 'F32', float64: 'F64', int32: 'I32', uint8: 'U8' } as const
const DTYPE_OF: ReadonlyMap<unknown, DType> = new Map<string, DType>([
  ['F32', 'float32'],
  ['F64', 'float64'],
  ['I32', 'int32'],
  ['U8', 'uint8'],
])
const BYTES_OF: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int32: 4, uint8: 1 }

const METADATA_KEY = '__metadata__'
const PREFIX_BYTES = 8
/** The format's own limit: no header is longer than this. */
const MAX_HEADER_BYTES = 100_000_000
/** One read call takes at most 2 GiB. */
const READ_BYTES = 1 << 30

/**
 * Arrays in the safetensors format (u64 header length, JSON header, data without gaps; little-endian), as pieces for
 * {@link writeFileAtomic}: the header, then views on the arrays, which must not change until they are written. Wide elements
 * come first, so that all data is aligned; the header is padded to 8 bytes. The same arrays give the same bytes whatever
 * the order of their names.
 *
 * @throws ArmatureError `bad-argument` for an array named `__metadata__`; `bad-shape` for data that does not fill its shape.
 */
export function safetensorsChunks(arrays: NamedArrays, metadata: SafetensorsMetadata = {}): Uint8Array[] {
  const names = Object.keys(arrays).toSorted(
    (a, b) => BYTES_OF[dtypeOf(arrays[b]!.data)] - BYTES_OF[dtypeOf(arrays[a]!.data)] || (a < b ? -1 : 1),
  )
  const header: [string, unknown][] = []
  if (Object.keys(metadata).length > 0) header.push([METADATA_KEY, metadata])
  const chunks: Uint8Array[] = []
  let offset = 0
  for (const name of names) {
    if (name === METADATA_KEY) throw new ArmatureError('bad-argument', `an array cannot be named ${METADATA_KEY}`)
    const { data, shape } = arrays[name]!
    if (data.length !== sizeOf(shape)) {
      throw new ArmatureError('bad-shape', `array "${name}"`, {
        expected: `${sizeOf(shape)} elements for shape [${shape.join(', ')}]`,
        got: String(data.length),
      })
    }
    const end = offset + data.byteLength
    header.push([name, { dtype: CODE_OF[dtypeOf(data)], shape, data_offsets: [offset, end] }])
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    offset = end
  }
  return [encodeHeader(Object.fromEntries(header)), ...chunks]
}

/** The same as one array of bytes. */
export function encodeSafetensors(arrays: NamedArrays, metadata: SafetensorsMetadata = {}): Uint8Array {
  return Buffer.concat(safetensorsChunks(arrays, metadata))
}

function encodeHeader(header: object): Uint8Array {
  const json = Buffer.from(JSON.stringify(header), 'utf8')
  const length = Math.ceil(json.length / 8) * 8
  const bytes = Buffer.alloc(PREFIX_BYTES + length, ' ')
  bytes.writeBigUInt64LE(BigInt(length), 0)
  json.copy(bytes, PREFIX_BYTES)
  return bytes
}

/**
 * Reads safetensors bytes; the arrays are copies. Strict: the header must describe all of the data, without gaps or overlaps.
 *
 * @param source names the origin in errors, e.g. the file's path
 * @throws ArmatureError `corrupt-file`, which says what is wrong where.
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): SafetensorsContent {
  const length = headerLength(bytes.subarray(0, PREFIX_BYTES), bytes.length, source)
  const start = PREFIX_BYTES + length
  const { entries, metadata } = parseHeader(bytes.subarray(PREFIX_BYTES, start), bytes.length - start, source)
  const arrays = entries.map((entry): [string, NdArray] => [
    entry.name,
    toArray(entry, new Uint8Array(bytes.subarray(start + entry.begin, start + entry.end)).buffer),
  ])
  return { arrays: Object.fromEntries(arrays), metadata }
}

/**
 * Reads a safetensors file, array by array: it may be larger than one buffer can be.
 *
 * @throws ArmatureError `not-found`, or `corrupt-file` as in {@link decodeSafetensors}.
 */
export async function readSafetensors(path: string): Promise<SafetensorsContent> {
  const file = await openToRead(path)
  try {
    const { size } = await file.stat()
    const length = headerLength(await readBytes(file, 0, Math.min(PREFIX_BYTES, size), path), size, path)
    const start = PREFIX_BYTES + length
    const { entries, metadata } = parseHeader(await readBytes(file, PREFIX_BYTES, length, path), size - start, path)
    const arrays: [string, NdArray][] = []
    for (const entry of entries) {
      const data = await readBytes(file, start + entry.begin, entry.end - entry.begin, path)
      arrays.push([entry.name, toArray(entry, data.buffer)])
    }
    return { arrays: Object.fromEntries(arrays), metadata }
  } finally {
    await file.close()
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isFileError(error, 'ENOENT')) throw new ArmatureError('not-found', `no file ${path}`, { cause: error })
    throw error
  }
}

async function readBytes(
  file: FileHandle,
  position: number,
  length: number,
  source: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(READ_BYTES, length - done), position + done)
    if (bytesRead === 0) throw corrupt(source, 'it became shorter while it was read')
    done += bytesRead
  }
  return bytes
}

function toArray(entry: Entry, buffer: ArrayBuffer): NdArray {
  return { data: viewOf(entry.dtype, buffer), shape: entry.shape }
}

function viewOf(dtype: DType, buffer: ArrayBuffer): NdData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer)
    case 'float64':
      return new Float64Array(buffer)
    case 'int32':
      return new Int32Array(buffer)
    case 'uint8':
      return new Uint8Array(buffer)
  }
}

function headerLength(prefix: Uint8Array, total: number, source: string): number {
  if (prefix.length < PREFIX_BYTES) {
    throw corrupt(source, `it ends inside the length of its header (${total} of ${PREFIX_BYTES} bytes)`)
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true)
  if (length > BigInt(Math.min(total - PREFIX_BYTES, MAX_HEADER_BYTES))) {
    throw corrupt(source, `a header of ${length} bytes does not fit into a file of ${total} bytes`)
  }
  return Number(length)
}

function parseHeader(
  bytes: Uint8Array,
  dataBytes: number,
  source: string,
): { readonly entries: readonly Entry[]; readonly metadata: SafetensorsMetadata } {
  const header = parseJsonObject(bytes, source)
  const { [METADATA_KEY]: metadata = {}, ...rest } = header
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt(source, `${METADATA_KEY} must map names to strings`)
  }
  const entries = Object.entries(rest).map(([name, value]) => parseEntry(name, value, dataBytes, source))
  requireCover(entries, dataBytes, source)
  return { entries, metadata: metadata as SafetensorsMetadata }
}

function parseJsonObject(bytes: Uint8Array, source: string): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw corrupt(source, `its header is not JSON (${(error as Error).message})`)
  }
  if (!isRecord(header)) throw corrupt(source, 'its header is not a JSON object')
  return header
}

function parseEntry(name: string, value: unknown, dataBytes: number, source: string): Entry {
  const fail = (why: string): ArmatureError => corrupt(source, `array "${name}": ${why}`)
  if (!isRecord(value)) throw fail('its entry is not an object')
  const { dtype: code, shape, data_offsets: offsets } = value
  const dtype = DTYPE_OF.get(code)
  if (dtype === undefined) throw fail(`dtype ${JSON.stringify(code)} is not one of F32, F64, I32, U8`)
  if (!isSizes(shape)) throw fail(`shape ${JSON.stringify(shape)} is not a list of sizes`)
  if (!isSizes(offsets) || offsets.length !== 2)
    throw fail(`data_offsets ${JSON.stringify(offsets)} is not [begin, end]`)
  const [begin, end] = offsets as [number, number]
  if (begin > end || end > dataBytes) {
    throw fail(`data_offsets [${begin}, ${end}] do not lie within the ${dataBytes} bytes of data`)
  }
  const expected = sizeOf(shape) * BYTES_OF[dtype]
  if (expected !== end - begin) {
    throw fail(`shape [${shape.join(', ')}] of ${dtype} needs ${expected} bytes, data_offsets give ${end - begin}`)
  }
  return { name, dtype, shape, begin, end }
}

function requireCover(entries: readonly Entry[], dataBytes: number, source: string): void {
  let position = 0
  let previous = 'the header'
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < position) throw corrupt(source, `arrays "${previous}" and "${name}" overlap`)
    if (begin > position) throw corrupt(source, `${begin - position} bytes before array "${name}" belong to no array`)
    position = end
    previous = name
  }
  if (position !== dataBytes) throw corrupt(source, `the last ${dataBytes - position} bytes belong to no array`)
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function corrupt(source: string, why: string): ArmatureError {
  return new ArmatureError('corrupt-file', `${source} is not a sound safetensors file: ${why}`)
}
