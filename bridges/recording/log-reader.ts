import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Recorded } from './log-format.ts'
import { MAGIC, MAX_RECORD_BYTES, RECORD_HEADER_BYTES } from './log-format.ts'

/** A recording with the place of every record: headers are read when it is opened, messages when they are asked for. */
export class LogReader {
  /** What is wrong with the end of the file: the recorder died, or bytes were lost. Undefined when all is there. */
  readonly problem: string | undefined
  readonly #path: string
  readonly #handle: FileHandle
  readonly #offsets: readonly number[]

  private constructor(path: string, handle: FileHandle, offsets: readonly number[], problem: string | undefined) {
    this.#path = path
    this.#handle = handle
    this.#offsets = offsets
    this.problem = problem
  }

  /** @throws ArmatureError `not-found`; `corrupt-file` for what is not a recording. */
  static async open(path: string): Promise<LogReader> {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw new ArmatureError('not-found', `recording ${path}`, { fix: 'check the path', cause: error })
    })
    try {
      const { offsets, problem } = await scan(path, handle)
      return new LogReader(path, handle, offsets, problem)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Records that can be read. */
  get length(): number {
    return this.#offsets.length
  }

  /** @throws ArmatureError `corrupt-file` when its checksum is wrong. */
  async read(index: number): Promise<Recorded> {
    const offset = this.#offsets[index]
    if (offset === undefined) {
      throw new ArmatureError('bad-argument', `record of ${this.#path}`, {
        expected: `below ${this.length}`,
        got: `${index}`,
      })
    }
    const header = await readAt(this.#handle, offset, RECORD_HEADER_BYTES)
    const bytes = await readAt(this.#handle, offset + RECORD_HEADER_BYTES, header.readUInt32LE(0))
    if (crc32(bytes) !== header.readUInt32LE(4)) {
      throw new ArmatureError('corrupt-file', `record ${index} of ${this.#path}`, { got: 'a wrong checksum' })
    }
    return { arrivalUs: Number(header.readBigUInt64LE(8)), bytes }
  }

  /** All records in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Recorded> {
    for (let i = 0; i < this.length; i++) yield await this.read(i)
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

async function scan(path: string, handle: FileHandle): Promise<{ offsets: number[]; problem: string | undefined }> {
  const { size } = await handle.stat()
  const magic = await readAt(handle, 0, Math.min(MAGIC.length, size))
  if (!magic.equals(MAGIC)) throw new ArmatureError('corrupt-file', `${path} is not a recording of a bridge`)
  const offsets: number[] = []
  let offset = MAGIC.length
  while (offset + RECORD_HEADER_BYTES <= size) {
    const length = (await readAt(handle, offset, 4)).readUInt32LE(0)
    if (length > MAX_RECORD_BYTES) return { offsets, problem: `no record at byte ${offset}` }
    if (offset + RECORD_HEADER_BYTES + length > size) break
    offsets.push(offset)
    offset += RECORD_HEADER_BYTES + length
  }
  return {
    offsets,
    problem: offset === size ? undefined : `cut off in the middle of a record, after ${offsets.length}`,
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await handle.read(bytes, 0, length, position)
  return bytes
}
