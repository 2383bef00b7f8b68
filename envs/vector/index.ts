import { ArmatureError } from '../../src/core/errors.ts'
import type { AutoresetMode, VectorEnv } from '../../src/core/vector-env.ts'
import { integer, oneOf, readOptions, text } from '../options.ts'
import { makeEnvs } from './env-source.ts'
import { SyncVectorEnv } from './sync-vector-env.ts'
import { WorkerVectorEnv } from './worker-vector-env.ts'

export interface VectorEnvOptions {
  readonly numEnvs: number
  /** Threads that share the envs; 0, the default, steps them in the calling thread. More than `numEnvs` are not started. */
  readonly workers?: number
  /** Default `next-step`, as in Gymnasium. */
  readonly autoreset?: AutoresetMode
  /** For each env: the same as for `makeEnv`, values that JSON can carry. */
  readonly options?: Readonly<Record<string, unknown>>
  /**
   * URL of a module that exports `makeEnv(id, options)`, for envs outside the catalogue. Threads load it anew: JavaScript,
   * or TypeScript where Node runs it as it is.
   */
  readonly module?: string
}

const READERS = {
  numEnvs: integer(1, 4096),
  workers: integer(0, 256),
  autoreset: oneOf('next-step', 'same-step', 'disabled'),
  options: (value: unknown): unknown => value,
  module: text,
}

/**
 * Makes `numEnvs` envs that are stepped together, in this thread or in `workers` others. Where they run changes no byte of what they show.
 *
 * @example const envs = await makeVectorEnv('armature/PushPuck-v0', { numEnvs: 8, workers: 2, options: { size: 64 } })
 * @throws ArmatureError as `makeEnv` does; `bad-argument` also for wrong counts or modes.
 */
export async function makeVectorEnv(id: string, given: VectorEnvOptions): Promise<VectorEnv> {
  const { numEnvs, workers = 0, autoreset = 'next-step', module } = readOptions('makeVectorEnv', READERS, { ...given })
  if (numEnvs === undefined) throw new ArmatureError('bad-argument', 'makeVectorEnv', { expected: 'numEnvs' })
  const options = JSON.parse(JSON.stringify(given.options ?? {})) as Record<string, unknown>
  const source = { id, options, module }
  if (workers === 0) return new SyncVectorEnv(await makeEnvs(source, numEnvs), autoreset)
  return WorkerVectorEnv.create(source, { numEnvs, workers: Math.min(workers, numEnvs), autoreset })
}
