import type { FileHandle } from 'node:fs/promises'
import type { AsyncBuffer, ColumnMetaData, Compressors, FileMetaData, SchemaTree } from 'hyparquet'
import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet'
import { ArmatureError } from '../../core/errors.ts'
import { openRegularFile } from '../contained-files.ts'
import type { UnpackedPage } from './pages.ts'
import { checkPages } from './pages.ts'
import { readThrift } from './thrift.ts'
import { unpack } from './unpack.ts'

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
  readonly #schema: SchemaTree

  private constructor(path: string, bytes: number, metadata: FileMetaData) {
    this.path = path
    this.#bytes = bytes
    this.#metadata = metadata
    this.rows = Number(metadata.num_rows)
    this.#schema = parquetSchema(metadata)
    const columns = this.#schema.children
    this.columns = columns.map(({ element }) => element.name)
    this.types = Object.fromEntries(columns.map((column) => [column.element.name, leafType(column)]))
  }

  /** @throws ArmatureError `not-found`; `corrupt-file` for one that is cut off or no parquet file. */
  static async open(path: string): Promise<ParquetFile> {
    const { file, size } = await openRegularFile(path)
    try {
      const metadata = await readFooter(asyncBuffer(file, size))
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
      const rows: Row[][] = []
      let first = 0
      for (const [group, { num_rows: count }] of this.#metadata.row_groups.entries()) {
        const next = first + Number(count)
        const [from, to] = [Math.max(start, first), Math.min(end, next)]
        if (from < to) rows.push(await this.#readGroup(asyncBuffer(file, this.#bytes), columns, group, [from, to]))
        first = next
      }
      return rows.flat()
    } catch (error) {
      throw corrupt(this.path, error)
    } finally {
      await file.close()
    }
  }

  async #readGroup(
    file: AsyncBuffer,
    columns: readonly string[],
    group: number,
    [start, end]: readonly [start: number, end: number],
  ): Promise<Row[]> {
    const pages: UnpackedPage[] = []
    for (const { meta_data: metadata } of this.#metadata.row_groups[group]!.columns) {
      if (metadata === undefined || !columns.includes(metadata.path_in_schema[0]!)) continue
      pages.push(...(await this.#checkColumn(file, metadata, Number(this.#metadata.row_groups[group]!.num_rows))))
    }
    return parquetReadObjects({
      file,
      metadata: this.#metadata,
      columns: [...columns],
      rowStart: start,
      rowEnd: end,
      // Bytes that are not marked as text are images.
      utf8: false,
      compressors: compressorsOf(pages),
    })
  }

  async #checkColumn(file: AsyncBuffer, metadata: ColumnMetaData, rows: number): Promise<UnpackedPage[]> {
    const { path_in_schema: names, total_compressed_size: size } = metadata
    // As hyparquet has it: 0 is none.
    const start = Number(metadata.dictionary_page_offset || metadata.data_page_offset)
    try {
      const chunk = new Uint8Array(await file.slice(start, start + Number(size)))
      return checkPages(chunk, { path: pathTo(this.#schema, names), metadata, rows })
    } catch (error) {
      throw new Error(`column ${names.join('.')}: ${reasonOf(error)}`, { cause: error })
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

/** hyparquet's parser believes what the footer claims, so it is walked through before. */
async function readFooter(file: AsyncBuffer): Promise<FileMetaData> {
  if (file.byteLength < 12) throw new Error('no footer')
  const tail = new DataView(await file.slice(file.byteLength - 8))
  const size = tail.getUint32(0, true) + 8
  if (tail.getUint32(4, true) !== MAGIC || size > Math.min(file.byteLength, MAX_FOOTER_BYTES))
    throw new Error('no footer')
  const footer = await file.slice(file.byteLength - size)
  readThrift(new Uint8Array(footer, 0, size - 8))
  return parquetMetadata(footer, { geoparquet: false })
}

/** `PAR1`. */
const MAGIC = 0x31524150
const MAX_FOOTER_BYTES = 2 ** 28
/** Rows of a file, and of a row group: others write about a million at most. More is a damaged count, which would be memory and time. */
const MAX_ROWS = 2 ** 24
const MAX_GROUP_ROWS = 2 ** 22
/** Groups within each other. */
const MAX_DEPTH = 32

/** A footer whose counts add up and whose parts lie in the file; a damaged one is refused before it asks for memory. */
function requirePlausible(metadata: FileMetaData, bytes: number): void {
  const { num_rows: rows, row_groups: groups, schema } = metadata
  const footer = bytes - metadata.metadata_length - 8
  const counts = groups.map((group) => Number(group.num_rows))
  const sum = counts.reduce((total, count) => total + count, 0)
  const isCounted = counts.every((count) => count >= 0 && count <= MAX_GROUP_ROWS)
  if (!isCounted || sum !== Number(rows) || sum > MAX_ROWS) throw new Error(`${rows} rows, ${sum} in its row groups`)
  for (const { meta_data: column } of groups.flatMap((group) => group.columns)) {
    if (column === undefined) throw new Error('a column that is not described')
    const start = Number(column.dictionary_page_offset || column.data_page_offset)
    const size = Number(column.total_compressed_size)
    if (!(start >= 0 && size >= 0 && start + size <= footer)) {
      throw new Error(`column ${column.path_in_schema.join('.')} outside of the file`)
    }
  }
  const open: number[] = []
  for (const { num_children: children = 0 } of schema) {
    while (open.at(-1) === 0) open.pop()
    if (open.length > 0) open[open.length - 1]!--
    if (children > 0) open.push(children)
    if (open.length > MAX_DEPTH) throw new Error(`columns more than ${MAX_DEPTH} deep`)
  }
}

function pathTo(root: SchemaTree, names: readonly string[]): SchemaTree[] {
  const path = [root]
  for (const name of names) {
    const child = path.at(-1)!.children.find(({ element }) => element.name === name)
    if (child === undefined) throw new Error('not in the schema')
    path.push(child)
  }
  return path
}

/** Those that know the pages that were unpacked to be checked: by their bytes, as hyparquet copies them. */
function compressorsOf(pages: readonly UnpackedPage[]): Compressors {
  const bySize = new Map<number, UnpackedPage[]>()
  for (const page of pages) {
    const alike = bySize.get(page.packed.length) ?? []
    bySize.set(page.packed.length, alike)
    alike.push(page)
  }
  const codecs = ['SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4', 'LZ4_RAW'] as const
  return Object.fromEntries(
    codecs.map((codec) => [
      codec,
      (packed: Uint8Array, size: number) =>
        bySize
          .get(packed.length)
          ?.find((page) => page.page.length === size && Buffer.compare(page.packed, packed) === 0)?.page ??
        unpack(codec, packed, size),
    ]),
  )
}

/** As parquet calls it; text is `UTF8`. Undefined for a column of several parts. */
function leafType({ element, children }: SchemaTree): string | undefined {
  if (children.length === 1) return leafType(children[0]!)
  if (children.length > 1) return undefined
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'
  return isText ? 'UTF8' : element.type
}

function corrupt(path: string, why: unknown): ArmatureError {
  if (why instanceof ArmatureError) return why
  return new ArmatureError('corrupt-file', path, { expected: 'a whole parquet file', got: reasonOf(why), cause: why })
}

/** Where bytes are not what they should be, decoders stumble over `undefined`: their words say nothing of the file. */
function reasonOf(why: unknown): string {
  if (!(why instanceof Error) || why instanceof TypeError) return 'damaged bytes'
  return why.message
}
