import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArmatureError } from '../../core/errors.ts'
import type { BridgeMode, BridgeState } from '../../../bridges/protocol/messages.ts'
import type { KeyPair } from '../../../bridges/zmq/keys.ts'
import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import type { BenchCameras } from './robot.ts'

/** What a child process is to be. */
export type WorkerTask =
  | {
      readonly kind: 'robot'
      readonly mode: BridgeMode
      readonly controlHz: number
      readonly cameras: BenchCameras
      /** Those of a robot before it, to be found again. */
      readonly endpoints?: Endpoints
      /** Of one client; default: as many as come. */
      readonly messagesPerSecond?: number
      /** Files: the robot's key, and the list of keys that it admits. */
      readonly keys?: { readonly robot: string; readonly authorized: string }
    }
  | {
      readonly kind: 'echo'
      readonly endpoint: string
      readonly cameras: BenchCameras
      readonly keys?: Omit<KeyPair, 'name'> & { readonly serverKey: string }
    }

/**
 * What a running child is asked. `pace`: so many round trips, one each period; `clear`: forget tick lateness; `stats` can collect all garbage
 * before.
 */
export type WorkerCommand =
  | { readonly name: 'stats'; readonly collects: boolean }
  | { readonly name: 'clear' }
  | { readonly name: 'pace'; readonly periodUs: number; readonly trips: number }

type Percentiles = Readonly<Record<'p50' | 'p99' | 'p999' | 'max', number>>

export interface WorkerStats {
  readonly counters: Readonly<Record<string, number>>
  readonly state: BridgeState
  readonly tickLatenessUs: Percentiles
  /** Of the same thread, without its waiting for a processor. */
  readonly ownLatenessUs: Percentiles
  readonly rssBytes: number
  readonly heapBytes: number
  /** 0 where the system does not tell. */
  readonly openFiles: number
  /** Of the process since its start. */
  readonly cpuUs: number
  readonly atUs: number
}

/** One message of a child: what it is, once it is there, or an answer. */
export interface WorkerAnswer {
  readonly endpoints?: Endpoints
  readonly observationBytes?: number
  readonly stats?: WorkerStats
  readonly durationsUs?: readonly number[]
}

const WORKER = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url))
const ANSWER_MS = 60_000

/** A child process that plays the robot's side of a measurement. Whoever starts one must end it. */
export class BenchChild {
  readonly #process: ChildProcess
  #endpoints: Endpoints | undefined

  private constructor(process: ChildProcess) {
    this.#process = process
  }

  /** @throws ArmatureError `env-failed` when the process does not get going */
  static async start(task: WorkerTask): Promise<BenchChild> {
    const child = new BenchChild(
      fork(WORKER, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
    )
    try {
      child.#endpoints = (await child.#next(ANSWER_MS)).endpoints
    } catch (error) {
      child.end()
      throw error
    }
    return child
  }

  /** Of a robot. */
  get endpoints(): Endpoints {
    return this.#endpoints!
  }

  /** Microseconds of each of `trips` round trips, one each `periodUs`. */
  async pace(periodUs: number, trips: number): Promise<readonly number[]> {
    const answer = this.#next(ANSWER_MS + (3 * trips * periodUs) / 1000)
    this.#tell({ name: 'pace', periodUs, trips })
    return (await answer).durationsUs!
  }

  /** @param collects all garbage before memory is measured */
  async stats(collects = false): Promise<WorkerStats> {
    const answer = this.#next(ANSWER_MS)
    this.#tell({ name: 'stats', collects })
    return (await answer).stats!
  }

  clearLateness(): void {
    this.#tell({ name: 'clear' })
  }

  end(): void {
    this.#process.kill('SIGKILL')
  }

  #tell(command: WorkerCommand): void {
    this.#process.send(command)
  }

  #next(timeoutMs: number): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      const child = this.#process
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        child.off('message', take)
        child.off('exit', leave)
        act()
      }
      const fail = (got: string): void =>
        settle(() => reject(new ArmatureError('env-failed', 'robot process of the benchmark', { got })))
      const take = (answer: WorkerAnswer): void => settle(() => resolve(answer))
      const leave = (code: number | null): void => fail(`it ended with ${code}`)
      const timer = setTimeout(() => fail(`no answer for ${timeoutMs / 1000} s`), timeoutMs)
      child.on('message', take).on('exit', leave)
    })
  }
}
