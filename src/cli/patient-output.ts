import { write } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProgressStream } from '../log/progress.ts'

const MAX_LINES = 1000
const AGAIN_MS = 20

/**
 * Lines for an output that may be slow or stand still: a disk, a pipe that nobody reads, a terminal after Ctrl-S. Node writes to all of these before it
 * goes on, which would hold up a robot; here none of them makes its caller wait, and what there is no room for is left out and counted.
 */
export class PatientOutput {
  readonly #write: (text: string) => Promise<void>
  #lines: string[] = []
  #dropped = 0
  #writing: Promise<void> | undefined

  constructor(write: (text: string) => Promise<void>) {
    this.#write = write
  }

  /** Lines that wait, apart from those that are being written. */
  get length(): number {
    return this.#lines.length
  }

  push(line: string): void {
    if (this.#lines.length >= MAX_LINES) this.#dropped++
    else this.#lines.push(line)
    this.#writing ??= this.#drain()
  }

  /** Resolves when all is written, but after `ms` at the latest. */
  async flush(ms: number): Promise<void> {
    await Promise.race([this.#writing, sleep(ms, undefined, { ref: false })])
  }

  async #drain(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      const dropped = this.#dropped
      this.#lines = []
      this.#dropped = 0
      const left = dropped === 0 ? '' : `${dropped} lines were left out: the output is too slow\n`
      // An output that is closed takes nothing from the robot either.
      await this.#write(`${lines.join('\n')}\n${left}`).catch(() => undefined)
    }
    this.#writing = undefined
  }
}

/** Writes to `stream`; to the standard output of the process by a thread of the system, which alone waits. */
export function patientWriter(stream: ProgressStream): (text: string) => Promise<void> {
  if ((stream as unknown) === process.stdout) return (text) => writeAll(process.stdout.fd, Buffer.from(text))
  return async (text) => void stream.write(text)
}

async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const written = await new Promise<number>((resolve, reject) => {
      write(fd, bytes, at, (error, count) => {
        if (error?.code === 'EAGAIN') resolve(0)
        else if (error) reject(error)
        else resolve(count)
      })
    })
    at += written
    if (written === 0) await sleep(AGAIN_MS)
  }
}
