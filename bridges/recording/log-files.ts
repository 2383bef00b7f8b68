import { access } from 'node:fs/promises'
import { ArmatureError } from '../../src/core/errors.ts'
import { decodeMessage, topicOf } from '../protocol/codec.ts'
import type { WelcomeMessage } from '../protocol/messages.ts'
import type { Recorded } from './log-format.ts'
import { LogReader } from './log-reader.ts'

/** A recording with the files that it went on in: `name.rblog`, `name-1.rblog` and so on, in this order. */
export class LogFiles {
  readonly path: string
  readonly #readers: readonly LogReader[]

  private constructor(path: string, readers: readonly LogReader[]) {
    this.path = path
    this.#readers = readers
  }

  /** @throws ArmatureError `not-found`; `corrupt-file` for what is not a recording, or has no message. */
  static async open(path: string): Promise<LogFiles> {
    const readers: LogReader[] = []
    try {
      for (let file = path; readers.length === 0 || (await exists(file)); file = nextOf(path, readers.length)) {
        readers.push(await LogReader.open(file))
      }
      const files = new LogFiles(path, readers)
      if (files.length === 0) throw new ArmatureError('corrupt-file', `recording ${path}`, { got: 'no message' })
      return files
    } catch (error) {
      await Promise.all(readers.map((reader) => reader.close()))
      throw error
    }
  }

  get length(): number {
    return this.#readers.reduce((sum, { length }) => sum + length, 0)
  }

  /** What is wrong with the ends of files, one line each. */
  get problems(): readonly string[] {
    return this.#readers.flatMap(({ problem }, i) =>
      problem === undefined ? [] : [`${nextOf(this.path, i)}: ${problem}`],
    )
  }

  /** What the robot said of itself at the start. @throws ArmatureError `corrupt-file` where that was not recorded. */
  async welcome(): Promise<WelcomeMessage> {
    for await (const { bytes } of this) {
      if (topicIs(bytes, 'welcome')) return decodeMessage(bytes) as WelcomeMessage
    }
    throw new ArmatureError('corrupt-file', `recording ${this.path}`, {
      got: 'no greeting of a robot, which says what the numbers mean',
      fix: 'record with "armature record"',
    })
  }

  /** All records in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Recorded> {
    for (const reader of this.#readers) yield* reader
  }

  /** Time of arrival of the last record minus that of the first, microseconds. */
  async durationUs(): Promise<number> {
    const filled = this.#readers.filter(({ length }) => length > 0)
    const first = await filled[0]!.read(0)
    const last = await filled.at(-1)!.read(filled.at(-1)!.length - 1)
    return Math.max(0, last.arrivalUs - first.arrivalUs)
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()))
  }
}

/** Whether a recorded message is of this kind, by its prefix alone. */
export function topicIs(bytes: Uint8Array, kind: Parameters<typeof topicOf>[0]): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, 4).toString('latin1') === topicOf(kind)
}

function nextOf(path: string, i: number): string {
  return i === 0 ? path : path.replace(/(\.[^./\\]*)?$/, `-${i}$1`)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
