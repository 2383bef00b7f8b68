import type { Env } from '../src/core/env.ts'
import { cases } from './check-cases.ts'

/** The outcome of one case. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  /** What is wrong; empty when nothing is. */
  readonly detail: string
}

export interface CheckOptions {
  readonly seed?: number
  /** Random steps per case. */
  readonly steps?: number
  /** Called after each case; may throw to stop. */
  readonly onResult?: (result: CheckResult) => void | Promise<void>
}

/**
 * Tests an env against the contract in `src/core/env.ts`, as Gymnasium's `check_env` and dm_control's suite test do. Give a factory
 * where you can: without one, the cases that need a new env pass untested. The env is closed at the end.
 *
 * @example
 * const failed = (await checkEnv(() => makeEnv('armature/PushPuck-v0'))).filter((result) => !result.ok)
 */
export async function checkEnv(source: Env | (() => Promise<Env>), options: CheckOptions = {}): Promise<CheckResult[]> {
  const { seed = 1, steps = 60 } = options
  const make = typeof source === 'function' ? source : undefined
  const env = typeof source === 'function' ? await source() : source
  const results: CheckResult[] = []
  for (const [name, run] of Object.entries(cases)) {
    let detail: string
    try {
      detail = (await run({ env, make, seed, steps })) ?? ''
    } catch (error) {
      detail = error instanceof Error ? error.message : String(error)
    }
    const result = { name, ok: detail === '', detail }
    results.push(result)
    await options.onResult?.(result)
  }
  await env.close()
  return results
}
