import type { EnvSpec } from '../../src/core/env.ts'
import type { AutoresetMode } from '../../src/core/vector-env.ts'
import type { ResetPlan } from './env-group.ts'
import type { EnvSource } from './env-source.ts'
import type { EnvThread } from './env-thread.ts'
import { failureInEnv, finishAll, startThreads } from './env-thread.ts'
import { InfoBoard } from './info-board.ts'
import { vectorArrays, vectorBytes } from './vector-arrays.ts'
import { VectorEnvBase } from './vector-env-base.ts'
import type { SharedMemory } from './worker-protocol.ts'
import { COMMAND } from './worker-protocol.ts'

/**
 * Envs in worker threads, several per thread: one signal per thread and step, actions and observations in shared memory. The calling
 * thread waits without blocking. Make it with `makeVectorEnv`.
 */
export class WorkerVectorEnv extends VectorEnvBase {
  readonly #threads: readonly EnvThread[]

  private constructor(spec: EnvSpec, memory: SharedMemory, threads: readonly EnvThread[]) {
    const { numEnvs, autoreset } = memory
    const infos = new InfoBoard(memory.infos, 2 * numEnvs)
    super(spec, vectorArrays(spec, numEnvs, memory.arrays), infos, autoreset)
    this.#threads = threads
  }

  /** Starts the threads. @throws what making the envs throws. */
  static async create(
    source: EnvSource,
    { numEnvs, workers, autoreset }: { numEnvs: number; workers: number; autoreset: AutoresetMode },
  ): Promise<WorkerVectorEnv> {
    const { threads, spec } = await startThreads(source, numEnvs, workers)
    try {
      const memory: SharedMemory = {
        arrays: new SharedArrayBuffer(vectorBytes(spec, numEnvs)),
        infos: new SharedArrayBuffer(InfoBoard.bytes(2 * numEnvs)),
        numEnvs,
        autoreset,
      }
      for (const thread of threads) thread.send(COMMAND.share, memory)
      await finishAll(threads)
      return new WorkerVectorEnv(spec, memory, threads)
    } catch (error) {
      await Promise.all(threads.map((thread) => thread.terminate()))
      throw failureInEnv(source.id, error, 'cannot be made')
    }
  }

  protected resetEnvs(plan: ResetPlan): Promise<void> {
    for (const thread of this.#threads) thread.send(COMMAND.reset, plan)
    return finishAll(this.#threads)
  }

  protected stepEnvs(): Promise<void> {
    for (const thread of this.#threads) thread.send(COMMAND.step)
    return finishAll(this.#threads)
  }

  protected async closeEnvs(isBusy: boolean): Promise<void> {
    try {
      if (isBusy) return
      for (const thread of this.#threads) thread.send(COMMAND.close)
      await finishAll(this.#threads)
    } finally {
      await Promise.all(this.#threads.map((thread) => thread.terminate()))
    }
  }
}
