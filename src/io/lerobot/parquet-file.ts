import type { FileHandle } from 'node:fs/promises'
import * as zlib from 'node:zlib'
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from 'hyparquet'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { ArmatureError } from '../../core/errors.ts'
import { openRegularFile } from '../contained-files.ts'

/** Snappy, Zstandard and LZ4 from the package; Node's own where it has them. */
const COMPRESSORS: Compressors = Object.fromEntries(
  Object.entries({
    ...compressors,
    GZIP: (input: Uint8Array) => zlib.gunzipSync(input),
    BROTLI: (input: Uint8Array) => zlib.brotliDecompressSync(input),
  }).map(([codec, unpack]) => [
    codec,
    // A column of nulls has pages without a value, which not every codec unpacks.
    (input: Uint8Array, size: number) => (size === 0 ? new Uint8Array() : unpack(input, size)),
  ]),
)

/** A larger row group is unpacked again for each part of it. */
const KEPT_BYTES = 2 ** 28

export type Row = Readonly<Record<string, unknown>>

/** A parquet file. Its footer is in memory and rows are read on demand; no handle stays open. */
export class ParquetFile {
  readonly path: string
  readonly rows: number
  /** Names of the top-level columns. */
  readonly columns: readonly string[]
  /** Type of the values of each column that has one type: those of lists, too. */
  readonly types: Readonly<Record<string, string | undefined>>
  readonly #bytes: number
  readonly #metadata: FileMetaData

  private constructor(path: string, bytes: number, metadata: FileMetaData) {
    this.path = path
    this.#bytes = bytes
    this.#metadata = metadata
    this.rows = Number(metadata.num_rows)
    const columns = parquetSchema(metadata).children
    this.columns = columns.map(({ element }) => element.name)
    this.types = Object.fromEntries(columns.map((column) => [column.element.name, leafType(column)]))
  }

  /** @throws ArmatureError `not-found`; `corrupt-file` for one that is cut off or no parquet file. */
  static async open(path: string): Promise<ParquetFile> {
    const { file, size } = await openRegularFile(path)
    try {
      const metadata = await parquetMetadataAsync(asyncBuffer(file, size))
      requirePlausible(metadata, size)
      return new ParquetFile(path, size, metadata)
    } catch (error) {
      throw corrupt(path, error)
    } finally {
      await file.close()
    }
  }

  /**
   * Reads `columns` of the rows from `start` to before `end`: only the pieces of the file that hold them. Other tools put all episodes of
   * a file into one row group, which can only be unpacked whole: the last one that was read in part is kept for the next call.
   * @throws ArmatureError `corrupt-file`.
   */
  async read(columns: readonly string[], start = 0, end: number = this.rows): Promise<Row[]> {
    const missing = columns.find((column) => !this.columns.includes(column))
    if (missing !== undefined) throw corrupt(this.path, `no column ${missing}`)
    const group = this.#groupAround(start, end)
    if (group === undefined) return this.#readRows(columns, start, end)
    const key = columns.join('\0')
    if (lastGroup?.file !== this || lastGroup.key !== key || lastGroup.start !== group[0]) {
      lastGroup = undefined
      lastGroup = { file: this, key, start: group[0], rows: await this.#readRows(columns, ...group) }
    }
    return lastGroup.rows.slice(start - group[0], end - group[0])
  }

  /** The row group that holds these rows and others besides, where it is small enough to be kept. */
  #groupAround(start: number, end: number): readonly [start: number, end: number] | undefined {
    let first = 0
    for (const { num_rows: count, total_byte_size: bytes } of this.#metadata.row_groups) {
      const next = first + Number(count)
      if (start >= first && end <= next && end > start) {
        return end - start < next - first && Number(bytes) <= KEPT_BYTES ? [first, next] : undefined
      }
      first = next
    }
    return undefined
  }

  async #readRows(columns: readonly string[], start: number, end: number): Promise<Row[]> {
    const { file } = await openRegularFile(this.path)
    try {
      return await parquetReadObjects({
        file: asyncBuffer(file, this.#bytes),
        metadata: this.#metadata,
        columns: [...columns],
        rowStart: start,
        rowEnd: end,
        // Bytes that are not marked as text are images.
        utf8: false,
        compressors: COMPRESSORS,
      })
    } catch (error) {
      throw corrupt(this.path, error)
    } finally {
      await file.close()
    }
  }
}

/** The row group that was read in part last, of all files. */
let lastGroup:
  | { readonly file: ParquetFile; readonly key: string; readonly start: number; readonly rows: readonly Row[] }
  | undefined

function asyncBuffer(file: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      if (!(start >= 0 && end <= byteLength)) throw new Error('a part of the file that is not there')
      const bytes = new Uint8Array(Math.max(0, end - start))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
      if (bytesRead < bytes.length) throw new Error('the file ends too early')
      return bytes.buffer
    },
  }
}

/** Rows of a file; more is a damaged count, which would be memory and time. */
const MAX_ROWS = 2 ** 31

/** A footer whose counts add up and whose parts lie in the file; a damaged one is refused before it asks for memory. */
function requirePlausible(metadata: FileMetaData, bytes: number): void {
  const { num_rows: rows, row_groups: groups } = metadata
  const footer = bytes - metadata.metadata_length - 8
  const sum = groups.reduce((total, group) => total + Number(group.num_rows), 0)
  const isCounted = groups.every(({ num_rows: count }) => count >= 0n)
  if (!isCounted || sum !== Number(rows) || sum > MAX_ROWS) throw new Error(`${rows} rows, ${sum} in its row groups`)
  for (const { meta_data: column } of groups.flatMap((group) => group.columns)) {
    if (column === undefined) continue
    const start = Number(column.dictionary_page_offset ?? column.data_page_offset)
    const size = Number(column.total_compressed_size)
    if (!(start >= 0 && size >= 0 && start + size <= footer)) {
      throw new Error(`column ${column.path_in_schema.join('.')} outside of the file`)
    }
  }
}

/** As parquet calls it; text is `UTF8`. Undefined for a column of several parts. */
function leafType({ element, children }: SchemaTree): string | undefined {
  if (children.length === 1) return leafType(children[0]!)
  if (children.length > 1) return undefined
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'
  return isText ? 'UTF8' : element.type
}

function corrupt(path: string, why: unknown): ArmatureError {
  const got = why instanceof Error ? why.message : String(why)
  return new ArmatureError('corrupt-file', path, { expected: 'a whole parquet file', got, cause: why })
}
