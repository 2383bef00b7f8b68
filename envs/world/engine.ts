/// <reference lib="esnext.disposable" preserve="true" />
import { ArmatureError } from '../../src/core/errors.ts'
import type { OptionReader } from '../options.ts'
import { oneOf } from '../options.ts'

/** The part of Rapier's API that both packages share (0.21 only adds to 0.20). */
export type Rapier = typeof import('@dimforge/rapier3d-simd-compat')

/** `auto` takes the SIMD build and falls back to the scalar one where its WASM does not load. */
export type PhysicsPackage = 'auto' | 'simd' | 'scalar'

/** The option `physics` of every Rapier scene. */
export const physicsOption: OptionReader<PhysicsPackage> = oneOf('auto', 'simd', 'scalar')

/** A loaded Rapier build. Runs on one build agree, runs on different builds do not: record `version` with results. */
export interface PhysicsEngine {
  readonly rapier: Rapier
  readonly build: 'simd' | 'scalar'
  readonly version: string
}

const loaded = new Map<'simd' | 'scalar', Promise<PhysicsEngine>>()

/**
 * Loads and initialises Rapier, once per build and thread.
 * @throws ArmatureError `engine-unavailable` when the requested build does not load.
 */
export async function loadPhysics(choice: PhysicsPackage = 'auto'): Promise<PhysicsEngine> {
  if (choice !== 'auto') return loadBuild(choice)
  try {
    return await loadBuild('simd')
  } catch {
    return loadBuild('scalar')
  }
}

function loadBuild(build: 'simd' | 'scalar'): Promise<PhysicsEngine> {
  let engine = loaded.get(build)
  if (engine === undefined) {
    engine = initialise(build)
    loaded.set(build, engine)
  }
  return engine
}

async function initialise(build: 'simd' | 'scalar'): Promise<PhysicsEngine> {
  const name = build === 'simd' ? '@dimforge/rapier3d-simd-compat' : '@dimforge/rapier3d-compat'
  try {
    const module: unknown = await (build === 'simd'
      ? import('@dimforge/rapier3d-simd-compat')
      : import('@dimforge/rapier3d-compat'))
    const rapier = module as Rapier
    await rapier.init()
    return { rapier, build, version: rapier.version() }
  } catch (cause) {
    throw new ArmatureError('engine-unavailable', `physics package ${name} does not load`, {
      fix: 'reinstall it, or choose the other build with the option physics',
      cause,
    })
  }
}
