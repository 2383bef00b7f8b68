import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Robot, RobotReading, RobotResetOptions, RobotSpec, StopCategory } from '../../src/core/robot.ts'
import { finite, flag, float, float32Vector, optional, pixelArray, recordOf, struct } from '../protocol/fields.ts'
import { decodeMsgpack, encodeMsgpack, wireBytes, wireNumber } from '../protocol/msgpack.ts'
import { robotSchemaField } from '../protocol/codec.ts'
import { specOfSchema } from '../protocol/schema.ts'
import { sleepReally, within } from '../time.ts'

/** For its spec: Python and what a driver imports take their time. */
const START_MS = 30_000
/** For the driver to end by itself, before it is ended. */
const END_MS = 500
/** A reading with cameras. */
const MAX_FRAME_BYTES = 64 * 2 ** 20

interface DriverReading {
  readonly proprio: Float32Array
  readonly state: Float32Array
  readonly images: Readonly<Record<string, { readonly data: Uint8Array }>>
  readonly ageUs: number
  readonly reward: number
  readonly terminated: boolean
  readonly truncated: boolean
  readonly info: Readonly<Record<string, number>>
}

const readingField = struct<DriverReading>({
  proprio: float32Vector,
  state: float32Vector,
  images: recordOf(pixelArray),
  ageUs: float,
  reward: float,
  terminated: flag,
  truncated: flag,
  info: recordOf(float),
})
const idField = struct<{ readonly id?: number }>({ id: optional(finite) })

/** Of a call: what it needs beside its name. */
type Call =
  | { readonly call: 'read' }
  | { readonly call: 'reset'; readonly seed?: number; readonly options?: unknown }
  | { readonly call: 'apply'; readonly action: Buffer }
  | { readonly call: 'stop'; readonly category: StopCategory }

/**
 * A robot whose driver is another process, in Python (`bridges/python/armature_driver.py`) or any language: it is called over its standard input and
 * output, frames of a length (4 bytes, little-endian) and msgpack. Limits, watchdogs and stops are this side's. When this process dies, the driver
 * sees the end of its input, and stops; when the driver dies, every call fails, which stops the robot.
 *
 * @throws ArmatureError `env-failed` when the process does not say what robot it has
 */
export async function processRobot(command: string, args: readonly string[]): Promise<Robot> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const driver = new DriverProcess(child as unknown as ChildProcessWithoutNullStreams)
  try {
    const first = await within({ sleep: sleepReally }, driver.first, START_MS, undefined)
    if (first === undefined) throw new Error(`it has said nothing for ${START_MS / 1000} s`)
    return new ProcessRobot(driver, specOfSchema(robotSchemaField.fromWire(first)))
  } catch (error) {
    driver.end()
    throw new ArmatureError('env-failed', `driver ${[command, ...args].join(' ')}`, {
      expected: 'what robot it has',
      got: error instanceof Error ? error.message : String(error),
    })
  }
}

/** Calls and answers, in frames. */
class DriverProcess {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #pending = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  #id = 0
  #received: Buffer = Buffer.alloc(0)
  #failure: Error | undefined
  #onFirst!: { resolve: (spec: unknown) => void; reject: (error: Error) => void }
  /** The schema of the robot. */
  readonly first: Promise<unknown>

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.first = new Promise((resolve, reject) => (this.#onFirst = { resolve, reject }))
    this.first.catch(() => undefined)
    child.stdout.on('data', (chunk: Buffer) => this.#onData(chunk))
    child.stdin.on('error', (error) => this.#fail(error))
    child.on('error', (error) => this.#fail(error))
    child.on('exit', (code, signal) => this.#fail(new Error(`the driver has ended (${signal ?? code})`)))
  }

  call(call: Call): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = ++this.#id
    const body = encodeMsgpack(Buffer.alloc(4), { id, ...call })
    body.writeUInt32LE(body.length - 4)
    this.#child.stdin.write(body)
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  /** Its input ends, and then the process. */
  async close(): Promise<void> {
    this.#child.stdin.end()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    await within({ sleep: sleepReally }, once(this.#child, 'exit'), END_MS, undefined)
    this.end()
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length > 0 ? Buffer.concat([this.#received, chunk]) : chunk
    while (this.#received.length >= 4) {
      const length = this.#received.readUInt32LE(0)
      if (length > MAX_FRAME_BYTES) return this.#garbled(`a frame of ${length} bytes`)
      if (this.#received.length < 4 + length) return
      const frame = Buffer.from(this.#received.subarray(4, 4 + length))
      this.#received = this.#received.subarray(4 + length)
      try {
        this.#onAnswer(decodeMsgpack(frame, 0))
      } catch (error) {
        return this.#garbled(error instanceof Error ? error.message : String(error))
      }
    }
  }

  #onAnswer(answer: unknown): void {
    const { id } = idField.fromWire(answer)
    const content = answer as { readonly spec?: unknown; readonly error?: string; readonly reading?: unknown }
    if (id === undefined) return this.#onFirst.resolve(content.spec)
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (content.error === undefined) pending?.resolve(content.reading)
    else pending?.reject(new Error(content.error))
  }

  #garbled(what: string): void {
    this.#fail(new Error(`the driver says what is no answer: ${what}`))
    this.end()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#onFirst.reject(this.#failure)
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }
}

class ProcessRobot implements Robot {
  readonly spec: RobotSpec
  readonly #driver: DriverProcess

  constructor(driver: DriverProcess, spec: RobotSpec) {
    this.#driver = driver
    this.spec = spec
  }

  async reset({ seed, options }: RobotResetOptions = {}): Promise<RobotReading> {
    const wanted = { ...(seed === undefined ? {} : { seed: wireNumber(seed) as number }), ...(options && { options }) }
    return readingOf(await this.#driver.call({ call: 'reset', ...wanted }))
  }

  async read(): Promise<RobotReading> {
    return readingOf(await this.#driver.call({ call: 'read' }))
  }

  async apply(action: Float32Array): Promise<void> {
    await this.#driver.call({ call: 'apply', action: wireBytes(action) })
  }

  async stop(category: StopCategory): Promise<void> {
    await this.#driver.call({ call: 'stop', category })
  }

  async close(): Promise<void> {
    await this.#driver.close()
  }
}

function readingOf(answer: unknown): RobotReading {
  const { proprio, state, images, ...rest } = readingField.fromWire(answer)
  const pixels = Object.fromEntries(Object.entries(images).map(([name, { data }]) => [name, data]))
  return { observation: { proprio, state, images: pixels }, ...rest }
}
