import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MAGIC, RECORD_HEADER_BYTES } from '../../bridges/recording/log-format.ts'
import { LogWriter } from '../../bridges/recording/log-writer.ts'
import { isObservation } from '../../bridges/protocol/messages.ts'
import type { ObservedMessage } from '../../bridges/client/observer-client.ts'
import { makeFolder } from '../io/atomic.ts'
import type { BridgeKeyFlags } from './robot-names.ts'
import { observeRobot, waitFor } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { bytes as bytesText } from './watch.ts'

export interface RecordOptions extends BridgeKeyFlags {
  readonly out: string
  /** Ends before the files are larger together, in units of 10^6 bytes. */
  readonly maxMb?: number
  /** Ends then; default: with Ctrl-C. */
  readonly maxSeconds?: number
  /** Asks the robot for camera images as JPEG. */
  readonly jpeg?: boolean
}

export interface RecordReport {
  readonly robot: string
  /** Files, in order. */
  readonly files: readonly string[]
  readonly bytes: number
  readonly observations: number
  readonly events: number
  /** Observations that the robot sent, and that did not arrive. */
  readonly missed: number
  /** Messages that found the disk too slow. */
  readonly dropped: number
  readonly durationS: number
}

/**
 * `armature record`: writes what a robot publishes to a file, as it comes. It only listens: if it dies, the robot does not notice, and the
 * file ends where it was.
 * @throws ArmatureError `env-failed` where there is no robot, or it refuses, or another one has taken its place; `run-exists`;
 *   `unwritable`. What was recorded until then is kept.
 */
export async function record(context: CliContext, endpoint: string, options: RecordOptions): Promise<RecordReport> {
  const { maxMb, maxSeconds, out } = options
  // Before the robot is asked: a name that is taken is no reason to disturb it.
  await makeFolder(dirname(out))
  const writer = await LogWriter.create(out)
  const tape = new Tape(writer, (maxMb ?? Infinity) * 1e6)
  try {
    const { observer, replaced } = await observeRobot(endpoint, options, {
      name: 'record',
      imageCodec: options.jpeg === true ? 'jpeg' : 'raw',
      onMessage: (message, { bytes, arrivalUs }) => tape.take(message, bytes, arrivalUs),
      onChange: (change, text) => context.print(`connection  ${change}: ${text}`),
    })
    context.print(
      `recording ${observer.welcome.schema.name} to ${out}${maxSeconds === undefined ? '; Ctrl-C ends it' : ` for ${maxSeconds} s`}`,
    )
    try {
      await waitFor(maxSeconds, context.signal, Promise.race([replaced, tape.full]))
    } finally {
      await observer.close()
    }
  } finally {
    await writer.close()
    if (writer.records === 0) await rm(out, { force: true })
  }
  const report = tape.report()
  const { robot, observations, events, missed, dropped, durationS, bytes, files } = report
  context.print(
    `${files.join(', ')}  ${robot}: ${observations} observations and ${events} events in ${durationS.toFixed(1)} s, ${bytesText(bytes)}`,
  )
  if (missed + dropped > 0)
    context.print(`not in it: ${missed} observations did not arrive, ${dropped} messages found the disk too slow`)
  return report
}

/** Writes and counts what comes. */
class Tape {
  /** Settled when no more may be written; fails with the disk. */
  readonly full: Promise<void>
  readonly #writer: LogWriter
  readonly #maxBytes: number
  readonly #counts = { observations: 0, events: 0, missed: 0, bytes: MAGIC.length }
  #end: () => void = () => {}
  #fail: (error: unknown) => void = () => {}
  #isFull = false
  #files = 1
  #welcome: Uint8Array = new Uint8Array(0)
  #robot = ''
  #last: { readonly run: string; readonly seq: number } | undefined
  #span: { readonly firstUs: number; readonly lastUs: number } | undefined

  constructor(writer: LogWriter, maxBytes: number) {
    this.#writer = writer
    this.#maxBytes = maxBytes
    this.full = new Promise((resolve, reject) => {
      this.#end = resolve
      this.#fail = reject
    })
    this.full.catch(() => undefined)
  }

  take(message: ObservedMessage, bytes: Uint8Array, arrivalUs: number): void {
    if (message.kind === 'welcome') {
      this.#robot = message.schema.name
      this.#welcome = bytes
    }
    if (!this.#append(bytes, arrivalUs)) return
    // Each file says what its numbers mean.
    if (this.#writer.files.length > this.#files) {
      this.#files = this.#writer.files.length
      this.#counts.bytes += MAGIC.length
      this.#append(this.#welcome, arrivalUs)
    }
    this.#span = { firstUs: this.#span?.firstUs ?? arrivalUs, lastUs: arrivalUs }
    if (message.kind === 'event') this.#counts.events++
    if (isObservation(message)) this.#count(message.session, message.observationSeq)
  }

  report(): RecordReport {
    const { firstUs = 0, lastUs = 0 } = this.#span ?? {}
    const { files, dropped } = this.#writer
    return { robot: this.#robot, files, ...this.#counts, dropped, durationS: (lastUs - firstUs) / 1e6 }
  }

  /** Whether it was written. */
  #append(bytes: Uint8Array, arrivalUs: number): boolean {
    if (this.#isFull) return false
    const size = RECORD_HEADER_BYTES + bytes.length
    this.#isFull = this.#counts.bytes + size > this.#maxBytes
    if (this.#isFull) {
      this.#end()
      return false
    }
    try {
      this.#writer.append(arrivalUs, bytes)
      this.#counts.bytes += size
      return true
    } catch (error) {
      this.#isFull = true
      this.#fail(error)
      return false
    }
  }

  #count(run: string, seq: number): void {
    const last = this.#last?.run === run ? this.#last.seq : seq - 1
    if (seq <= last) return
    this.#counts.observations++
    this.#counts.missed += seq - last - 1
    this.#last = { run, seq }
  }
}
