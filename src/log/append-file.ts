import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { ArmatureError, unwritable } from '../core/errors.ts'

/**
 * A file that only grows. Each piece goes to the operating system at once, so a killed process loses nothing that it logged
 * and `tail -f` shows it; `sync` makes it survive a power cut. Synchronous: a log line is written in microseconds.
 */
export class AppendFile {
  readonly path: string
  #descriptor: number
  #bytes: number

  /**
   * Opens or makes the file and cuts it to its first `keepBytes` bytes: what a run had logged when it saved.
   *
   * @throws ArmatureError `unwritable`; `corrupt-file` when the file is shorter than `keepBytes`.
   */
  constructor(path: string, keepBytes = 0) {
    this.path = path
    this.#bytes = keepBytes
    this.#descriptor = orUnwritable(path, () => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666))
    const { size } = fstatSync(this.#descriptor)
    if (size < keepBytes) {
      this.close()
      throw new ArmatureError('corrupt-file', path, {
        expected: `at least the ${keepBytes} bytes that the checkpoint knows of`,
        got: `${size}`,
        fix: 'restore the file, or start the run again in another folder',
      })
    }
    ftruncateSync(this.#descriptor, keepBytes)
  }

  get name(): string {
    return basename(this.path)
  }

  /** Length of the file. */
  get bytes(): number {
    return this.#bytes
  }

  append(piece: string | Uint8Array): void {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece
    orUnwritable(this.path, () => {
      for (let done = 0; done < bytes.length;) {
        const written = writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#bytes)
        done += written
        this.#bytes += written
      }
    })
  }

  sync(): { file: string; bytes: number } {
    orUnwritable(this.path, () => fsyncSync(this.#descriptor))
    return { file: this.name, bytes: this.#bytes }
  }

  /** May be called twice. */
  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor)
    this.#descriptor = -1
  }
}

function orUnwritable<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}
