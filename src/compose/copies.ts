import type { EnvCopies } from '../../envs/vector/env-copies.ts'
import { copiesOf } from '../../envs/vector/env-copies.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'

/** How many episodes are played at the same time, and where. */
export interface CopiesFlags {
  /** Envs; default 1. */
  readonly envs?: number
  /** Threads that share the envs; default 0: none but this one. */
  readonly workers?: number
  /** URLs of modules that register envs: threads run them before they make any. */
  readonly registering?: readonly string[]
}

/** A robot exists once. @throws ArmatureError `bad-argument` for more than one env, or threads. */
export function requireOneRobot({ envs = 1, workers = 0 }: CopiesFlags): void {
  if (envs === 1 && workers === 0) return
  throw new ArmatureError('bad-argument', envs > 1 ? '--envs' : '--workers', {
    expected: `${envs > 1 ? 1 : 0} for a robot, which exists once`,
    got: String(envs > 1 ? envs : workers),
    fix: 'leave it out',
  })
}

/**
 * As many envs as the flags say, like `env`, which was made by `id` with `options`.
 * @throws what making the envs throws
 */
export function copiesByFlags(
  env: Env,
  { id, options }: { readonly id: string; readonly options: Readonly<Record<string, unknown>> },
  { envs: count = 1, workers = 0, registering = [] }: CopiesFlags,
): Promise<EnvCopies> {
  return copiesOf(env, { id, count, workers, options, registering })
}
