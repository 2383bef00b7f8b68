import type { Env } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { makeEnv } from '../index.ts'

/** How to make an env in any thread: nothing but text and JSON. */
export interface EnvSource {
  readonly id: string
  readonly options: Readonly<Record<string, unknown>>
  /** URL of a module with a `makeEnv(id, options)` of its own; absent: the catalogue. */
  readonly module: string | undefined
  /** URLs of modules to run first, which register envs. */
  readonly registering?: readonly string[]
}

/**
 * Makes `count` envs one after the other.
 * @throws what `makeEnv` throws, after closing those already made; `bad-argument` for a module that does not fit.
 */
export async function makeEnvs({ id, options, module, registering = [] }: EnvSource, count: number): Promise<Env[]> {
  for (const url of registering) await import(url)
  const make = module === undefined ? makeEnv : await makerOf(module)
  const envs: Env[] = []
  try {
    for (let i = 0; i < count; i++) envs.push(await make(id, options))
  } catch (error) {
    await Promise.allSettled(envs.map((env) => env.close()))
    throw error
  }
  return envs
}

async function makerOf(module: string): Promise<typeof makeEnv> {
  const { makeEnv: make } = (await import(module)) as { makeEnv?: unknown }
  if (typeof make === 'function') return make as typeof makeEnv
  throw new ArmatureError('bad-argument', `module ${module}`, { expected: 'an export makeEnv(id, options)' })
}
