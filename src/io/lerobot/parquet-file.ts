import { open, stat } from 'node:fs/promises'
import * as zlib from 'node:zlib'
import type { AsyncBuffer, Compressors, FileMetaData } from 'hyparquet'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { ArmatureError } from '../../core/errors.ts'
import { isFileError } from '../atomic.ts'

/** Codecs besides Snappy. Node knows Zstandard from version 22.15 on. */
const COMPRESSORS: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ...zstandard(zlib as Readonly<Record<string, unknown>>),
}

function zstandard({ zstdDecompressSync: inflate }: Readonly<Record<string, unknown>>): Compressors {
  return typeof inflate === 'function' ? { ZSTD: (input) => inflate(input) as Uint8Array } : {}
}

export type Row = Readonly<Record<string, unknown>>

/** A parquet file. Its footer is in memory and rows are read on demand; no handle stays open. */
export class ParquetFile {
  readonly path: string
  readonly rows: number
  /** Names of the top-level columns. */
  readonly columns: readonly string[]
  readonly #bytes: number
  readonly #metadata: FileMetaData

  private constructor(path: string, bytes: number, metadata: FileMetaData) {
    this.path = path
    this.#bytes = bytes
    this.#metadata = metadata
    this.rows = Number(metadata.num_rows)
    this.columns = parquetSchema(metadata).children.map(({ element }) => element.name)
  }

  /** @throws ArmatureError `not-found`; `corrupt-file` for one that is cut off or no parquet file. */
  static async open(path: string): Promise<ParquetFile> {
    try {
      const { size } = await stat(path)
      const metadata = await withFile(path, size, (file) => parquetMetadataAsync(file))
      return new ParquetFile(path, size, metadata)
    } catch (error) {
      if (isFileError(error, 'ENOENT')) throw new ArmatureError('not-found', `no file ${path}`)
      throw corrupt(path, error)
    }
  }

  /**
   * Reads `columns` of the rows from `start` to before `end`: only the pieces of the file that hold them.
   * @throws ArmatureError `corrupt-file`.
   */
  async read(columns: readonly string[], start = 0, end: number = this.rows): Promise<Row[]> {
    const missing = columns.find((column) => !this.columns.includes(column))
    if (missing !== undefined) throw corrupt(this.path, `no column ${missing}`)
    try {
      return await withFile(this.path, this.#bytes, (file) =>
        parquetReadObjects({
          file,
          metadata: this.#metadata,
          columns: [...columns],
          rowStart: start,
          rowEnd: end,
          // Bytes that are not marked as text are images.
          utf8: false,
          compressors: COMPRESSORS,
        }),
      )
    } catch (error) {
      throw corrupt(this.path, error)
    }
  }
}

async function withFile<T>(path: string, byteLength: number, use: (file: AsyncBuffer) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r')
  try {
    return await use({
      byteLength,
      slice: async (start, end = byteLength) => {
        const bytes = new Uint8Array(Math.max(0, end - start))
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
        if (bytesRead < bytes.length) throw new Error('the file ends too early')
        return bytes.buffer
      },
    })
  } finally {
    await handle.close()
  }
}

function corrupt(path: string, why: unknown): ArmatureError {
  const got = why instanceof Error ? why.message : String(why)
  return new ArmatureError('corrupt-file', path, { expected: 'a whole parquet file', got, cause: why })
}
