import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { EnvSpec } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { EnvFailure } from './env-group.ts'
import type { EnvSource } from './env-source.ts'
import { ThreadDeath } from './vector-env-base.ts'
import type { Command, FailureMessage, MadeMessage, MethodCall, MethodResult, WorkerSetup } from './worker-protocol.ts'
import { COMMAND, CONTROL, CONTROL_BYTES, STATUS, unpackFailure } from './worker-protocol.ts'

/** In `dist` the worker is plain JavaScript. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './worker-from-source.js' : './worker.js', import.meta.url)

/** Not in the types of ES2023; in V8 since 8.7. */
const atomics = Atomics as unknown as {
  waitAsync(array: Int32Array, index: number, value: number): { readonly value: string | Promise<string> }
}

/**
 * The main thread's side of one worker thread and its envs `first` to `first + count - 1`. Keeps the process alive only while a request is
 * under way, so that a forgotten `close` does not hang it.
 */
export class EnvThread {
  readonly first: number
  readonly count: number
  readonly #worker: Worker
  readonly #control: Int32Array
  readonly #port: MessageChannel['port1']
  readonly #ended: Promise<void>
  #request = 1
  #cause: unknown
  #lastCall: Promise<unknown> = Promise.resolve()

  constructor(source: EnvSource, first: number, count: number) {
    this.first = first
    this.count = count
    const control = new SharedArrayBuffer(CONTROL_BYTES)
    this.#control = new Int32Array(control)
    this.#control[CONTROL.request] = this.#request
    this.#control[CONTROL.current] = first
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const workerData: WorkerSetup = { source, first, count, control, port: port2 }
    this.#worker = new Worker(ENTRY, { workerData, transferList: [port2] })
    this.#worker.on('error', (error) => (this.#cause = error))
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#cause ??= new Error(`its thread ended with code ${code}`)
        this.#answerForTheDead()
        resolve()
      })
    })
  }

  /** Starts `command`; `argument` goes through the port. Wait for its end with {@link finish}. */
  send(command: Command, argument?: unknown): void {
    if (argument !== undefined) this.#port.postMessage(argument, [])
    this.#worker.ref()
    this.#request++
    Atomics.store(this.#control, CONTROL.command, command)
    Atomics.store(this.#control, CONTROL.request, this.#request)
    Atomics.notify(this.#control, CONTROL.request)
    if (Atomics.load(this.#control, CONTROL.status) === STATUS.dead) this.#answerForTheDead()
  }

  /** Waits for the request under way. @throws EnvFailure, or ThreadDeath where the thread has ended. */
  async finish(): Promise<void> {
    for (;;) {
      const response = Atomics.load(this.#control, CONTROL.response)
      if (response === this.#request) break
      await atomics.waitAsync(this.#control, CONTROL.response, response).value
    }
    this.#worker.unref()
    const status = Atomics.load(this.#control, CONTROL.status)
    if (status === STATUS.dead) throw new ThreadDeath(Atomics.load(this.#control, CONTROL.current), this.#cause)
    if (status === STATUS.failed) throw unpackFailure(this.receive() as FailureMessage)
  }

  /** The message that came with the last answer. */
  receive(): unknown {
    return receiveMessageOnPort(this.#port)!.message as unknown
  }

  /**
   * Calls a method of one env, once the calls before are done.
   * @throws EnvFailure, or ThreadDeath where the thread has ended
   */
  call(call: MethodCall): Promise<MethodResult> {
    const result = this.#lastCall.then(async () => {
      this.send(COMMAND.call, call)
      await this.finish()
      return this.receive() as MethodResult
    })
    this.#lastCall = result.catch(() => {})
    return result
  }

  /** Ends the thread, whatever it is doing. */
  async terminate(): Promise<void> {
    this.#worker.ref()
    await this.#worker.terminate()
    await this.#ended
    this.#port.close()
  }

  #answerForTheDead(): void {
    Atomics.store(this.#control, CONTROL.status, STATUS.dead)
    Atomics.store(this.#control, CONTROL.response, this.#request)
    Atomics.notify(this.#control, CONTROL.response)
  }
}

/**
 * Starts `workers` threads that share `numEnvs` envs, and waits until these are made.
 * @throws what making the envs throws, after ending the threads.
 */
export async function startThreads(
  source: EnvSource,
  numEnvs: number,
  workers: number,
): Promise<{ readonly threads: readonly EnvThread[]; readonly spec: EnvSpec }> {
  const threads = Array.from({ length: workers }, (_, i) => {
    const [first, end] = [Math.floor((i * numEnvs) / workers), Math.floor(((i + 1) * numEnvs) / workers)]
    return new EnvThread(source, first, end - first)
  })
  try {
    await finishAll(threads)
    const specs = threads.map((thread) => (thread.receive() as MadeMessage).spec)
    return { threads, spec: specs[0]! }
  } catch (error) {
    await Promise.all(threads.map((thread) => thread.terminate()))
    throw failureInEnv(source.id, error, 'cannot be made')
  }
}

/** What an env throws, as it does in this thread: with the code that it has. */
export function failureInEnv(id: string, error: unknown, what: string): unknown {
  if (!(error instanceof EnvFailure)) return error
  const { cause } = error
  if (cause instanceof ArmatureError) return cause
  return new ArmatureError('env-failed', `${id} ${what}: ${error.message}`, { cause })
}

/** Waits for all, then throws the first failure, so that no request is left under way; a dead thread comes before one that failed. */
export async function finishAll(threads: readonly EnvThread[]): Promise<void> {
  const failures: EnvFailure[] = []
  for (const thread of threads) {
    try {
      await thread.finish()
    } catch (error) {
      if (!(error instanceof EnvFailure)) throw error
      failures.push(error)
    }
  }
  const failure = failures.find((candidate) => candidate instanceof ThreadDeath) ?? failures[0]
  if (failure !== undefined) throw failure
}
