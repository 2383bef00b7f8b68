import type { FileHandle } from 'node:fs/promises'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { ArmatureError, unwritable } from '../../src/core/errors.ts'
import { MAGIC, RECORD_HEADER_BYTES } from './log-format.ts'

export interface LogWriterOptions {
  /** A new file is begun before one grows beyond this; default 1 GiB. */
  readonly maxFileBytes?: number
  /** A new file is begun when one has recorded for so long; default: never. */
  readonly maxFileUs?: number
  /** What may wait for the disk; beyond it messages are dropped and counted. Default 64 MiB. */
  readonly maxQueuedBytes?: number
}

/** A power cut may take what came in so long before it. */
const SYNC_EVERY_US = 1_000_000

/** Records the messages of a bridge as they come; what came is on the disk within about a second. It never makes its caller wait for the disk: what does not fit is dropped and counted. */
export class LogWriter {
  readonly #path: string
  readonly #maxFileBytes: number
  readonly #maxFileUs: number
  readonly #maxQueuedBytes: number
  readonly #files: string[] = []
  #handle: FileHandle
  #fileBytes = MAGIC.length
  #firstUs: number | undefined
  /** Arrival of the last message that was synced. */
  #syncedUs = -Infinity
  #queue: { readonly arrivalUs: number; readonly bytes: Uint8Array }[] = []
  #queuedBytes = 0
  #records = 0
  #dropped = 0
  #writing: Promise<void> | undefined
  #failure: unknown

  private constructor(path: string, handle: FileHandle, options: LogWriterOptions) {
    this.#path = path
    this.#files.push(path)
    this.#handle = handle
    this.#maxFileBytes = options.maxFileBytes ?? 2 ** 30
    this.#maxFileUs = options.maxFileUs ?? Infinity
    this.#maxQueuedBytes = options.maxQueuedBytes ?? 2 ** 26
  }

  /**
   * @param path of the first file; the next are `name-1.rblog`, `name-2.rblog` and so on beside it
   * @throws ArmatureError `run-exists` when there is a file; `unwritable`.
   */
  static async create(path: string, options: LogWriterOptions = {}): Promise<LogWriter> {
    return new LogWriter(path, await createFile(path), options)
  }

  /** Written so far, in order. */
  get files(): readonly string[] {
    return this.#files
  }

  /** Messages taken. */
  get records(): number {
    return this.#records
  }

  /** Messages that found the queue full. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Takes a message; `bytes` must not change afterwards.
   * @throws ArmatureError `unwritable` after the disk has failed.
   */
  append(arrivalUs: number, bytes: Uint8Array): void {
    if (this.#failure !== undefined) throw unwritable(this.#files.at(-1)!, this.#failure)
    if (this.#queuedBytes + bytes.length > this.#maxQueuedBytes) {
      this.#dropped++
      return
    }
    this.#records++
    this.#queuedBytes += bytes.length
    this.#queue.push({ arrivalUs, bytes })
    this.#writing ??= this.#drain()
  }

  /** Writes what waits and syncs it to the disk. @throws ArmatureError `unwritable`. */
  async close(): Promise<void> {
    await this.#writing
    try {
      if (this.#failure === undefined) await this.#handle.sync()
    } catch (error) {
      this.#failure = error
    }
    await this.#handle.close()
    if (this.#failure !== undefined) throw unwritable(this.#files.at(-1)!, this.#failure)
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue
        this.#queue = []
        await this.#write(batch)
        for (const { bytes } of batch) this.#queuedBytes -= bytes.length
      }
    } catch (error) {
      this.#failure = error
    }
    this.#writing = undefined
  }

  async #write(batch: readonly { readonly arrivalUs: number; readonly bytes: Uint8Array }[]): Promise<void> {
    let pieces: Uint8Array[] = []
    for (const { arrivalUs, bytes } of batch) {
      if (this.#isFull(arrivalUs, bytes.length)) {
        await this.#handle.appendFile(Buffer.concat(pieces))
        pieces = []
        await this.#next()
      }
      this.#firstUs ??= arrivalUs
      this.#fileBytes += RECORD_HEADER_BYTES + bytes.length
      pieces.push(headerOf(arrivalUs, bytes), bytes)
    }
    await this.#handle.appendFile(Buffer.concat(pieces))
    const lastUs = batch.at(-1)!.arrivalUs
    if (lastUs - this.#syncedUs < SYNC_EVERY_US) return
    this.#syncedUs = lastUs
    await this.#handle.datasync()
  }

  #isFull(arrivalUs: number, length: number): boolean {
    if (this.#firstUs === undefined) return false
    const isLarge = this.#fileBytes + RECORD_HEADER_BYTES + length > this.#maxFileBytes
    return isLarge || arrivalUs - this.#firstUs >= this.#maxFileUs
  }

  async #next(): Promise<void> {
    const path = this.#path.replace(/(\.[^./\\]*)?$/, `-${this.#files.length}$1`)
    const handle = await createFile(path)
    await this.#handle.sync()
    await this.#handle.close()
    this.#handle = handle
    this.#files.push(path)
    this.#fileBytes = MAGIC.length
    this.#firstUs = undefined
  }
}

function headerOf(arrivalUs: number, bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(RECORD_HEADER_BYTES)
  header.writeUInt32LE(bytes.length, 0)
  header.writeUInt32LE(crc32(bytes), 4)
  header.writeBigUInt64LE(BigInt(Math.round(arrivalUs)), 8)
  return header
}

async function createFile(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true })
    const handle = await open(path, 'wx')
    await handle.appendFile(MAGIC)
    return handle
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(path, error)
    throw new ArmatureError('run-exists', `there is a file ${path}`, { fix: 'choose another name' })
  }
}
