import { constants } from 'node:fs'
import { copyFile, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ColumnSource, KeyValue, SchemaElement } from 'hyparquet-writer'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { unwritable } from '../../core/errors.ts'
import { makeFolder, syncFolder } from '../atomic.ts'

/**
 * A parquet file that grows by a row group at a time and is whole after each: a reader that comes in between, or after this process was
 * killed or the power was cut, finds the last complete one. A row group is appended to a copy, which is on the disk before it takes the
 * file's name; so keep such files small.
 */
export class GrowingParquet {
  readonly path: string
  /** Bytes before the footer. */
  #dataBytes = 0
  #groups = 0
  readonly #buffer = new ByteWriter(1 << 16)
  readonly #parquet: ParquetWriter

  constructor(path: string, schema: SchemaElement[], kvMetadata: KeyValue[] = []) {
    this.path = path
    // Footers grow with each row group: statistics only where a column asks for them.
    this.#parquet = new ParquetWriter({ writer: this.#buffer, schema, kvMetadata, statistics: false })
  }

  get bytes(): number {
    return this.#dataBytes
  }

  get groups(): number {
    return this.#groups
  }

  /**
   * Appends one row group, which is on the disk when this resolves. After an error this object cannot be used any more; the file is as it was.
   * @throws ArmatureError `unwritable`.
   */
  async append(columns: readonly ColumnSource[]): Promise<void> {
    const start = this.#dataBytes
    void this.#parquet.write({
      columnData: columns.map((column) => ({ offsetIndex: false, ...column })),
      rowGroupSize: columns[0]!.data.length,
    })
    const end = this.#buffer.offset
    void this.#parquet.finish()
    const bytes = this.#buffer.getBytes()
    const temporary = temporaryName(this.path)
    try {
      if (this.#groups === 0) await makeFolder(dirname(this.path))
      else await copyFile(this.path, temporary, constants.COPYFILE_FICLONE)
      await writeFrom(temporary, bytes, start, this.#groups === 0)
      await rename(temporary, this.path)
      await syncFolder(dirname(this.path))
      // The first file of a folder: its own name must last, too.
      if (this.#groups === 0) await syncFolder(dirname(dirname(this.path)))
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined)
      throw unwritable(this.path, error)
    }
    this.#groups++
    this.#dataBytes = end
    // The next row group takes the place of this footer.
    this.#buffer.index = 0
    this.#buffer.offset = end
  }
}

/** Does not end like the file: loaders take every `*.parquet` of a folder, and a killed recording may leave one. */
function temporaryName(path: string): string {
  return join(dirname(path), `.tmp-${process.pid}-${basename(path)}.part`)
}

/** Overwrites `path` from byte `start` to its end. */
async function writeFrom(path: string, bytes: Uint8Array, start: number, isNew: boolean): Promise<void> {
  const file = await open(path, isNew ? 'w' : 'r+')
  try {
    await file.truncate(start)
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, start + done)
      done += bytesWritten
    }
    await file.sync()
  } finally {
    await file.close()
  }
}
