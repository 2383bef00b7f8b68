import type { Env } from '../src/core/env.ts'
import { lookUp } from '../src/core/registry.ts'
import type { ExpertFactory } from './experts/expert.ts'
import { graspBinExpert } from './experts/grasp-bin.ts'
import { pickPlaceExpert } from './experts/pick-place.ts'
import { GRASP_BIN_ID, makeGraspBin } from './tasks/grasp-bin.ts'
import { makePendulum, PENDULUM_ID } from './tasks/pendulum.ts'
import { makePickPlace, PICK_PLACE_ID } from './tasks/pick-place.ts'
import { makePushPuck, PUSH_PUCK_ID } from './tasks/push-puck.ts'
import { loadPhysics } from './world/engine.ts'

/** One registered scene. */
export interface EnvEntry {
  readonly summary: string
  make(options?: Readonly<Record<string, unknown>>): Promise<Env>
  /** Solves the task from privileged state, where that makes sense. */
  readonly expert?: ExpertFactory
}

/** All scenes by id. */
export const envs: Readonly<Record<string, EnvEntry>> = {
  [PUSH_PUCK_ID]: {
    summary: 'push a puck to its goal and the hand to another: the Sawyer push task with a mocap hand',
    make: makePushPuck,
  },
  [PENDULUM_ID]: {
    summary: 'swing a pendulum up and hold it: Pendulum-v1 of OpenAI Gym',
    make: makePendulum,
  },
  [PICK_PLACE_ID]: {
    summary: 'grasp a cube with a parallel-jaw gripper, by friction, and take it to a place on the table or in the air',
    make: makePickPlace,
    expert: pickPlaceExpert,
  },
  [GRASP_BIN_ID]: {
    summary: 'grasp procedural objects from a bin, one whole grasp per step: the data of Grasp2Vec',
    make: makeGraspBin,
    expert: graspBinExpert,
  },
}

/** Ids and one-line summaries, in the order of the catalogue. */
export function envList(): { readonly id: string; readonly summary: string }[] {
  return Object.entries(envs).map(([id, { summary }]) => ({ id, summary }))
}

/**
 * Makes a registered env.
 * @throws ArmatureError `not-found` with the nearest ids, `bad-argument` for an unknown or invalid option.
 */
export async function makeEnv(id: string, options: Readonly<Record<string, unknown>> = {}): Promise<Env> {
  return lookUp('env', envs, id).make(options)
}

/** Which Rapier builds load here, for `armature doctor`. */
export async function physicsPackages(): Promise<{ name: string; available: boolean; detail: string }[]> {
  return Promise.all((['simd', 'scalar'] as const).map((build) => probePhysics(build)))
}

async function probePhysics(build: 'simd' | 'scalar'): Promise<{ name: string; available: boolean; detail: string }> {
  try {
    const { version } = await loadPhysics(build)
    return { name: `rapier ${build}`, available: true, detail: version }
  } catch (error) {
    return { name: `rapier ${build}`, available: false, detail: error instanceof Error ? error.message : String(error) }
  }
}
