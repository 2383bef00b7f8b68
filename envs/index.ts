import type { Env } from '../src/core/env.ts'
import { lookUp } from '../src/core/registry.ts'
import { doorExpert } from './experts/door.ts'
import type { ExpertFactory } from './experts/expert.ts'
import { pushMultiExpert } from './experts/push-multi.ts'
import { pushPuckExpert } from './experts/push-puck.ts'
import { reachExpert } from './experts/reach.ts'
import { DOOR_ID, makeDoor } from './tasks/door.ts'
import { makePendulum, PENDULUM_ID } from './tasks/pendulum.ts'
import { makePushMulti, PUSH_MULTI_ID } from './tasks/push-multi.ts'
import { makePushPuck, PUSH_PUCK_ID } from './tasks/push-puck.ts'
import { makeReach, REACH_ID } from './tasks/reach.ts'
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
    expert: pushPuckExpert,
  },
  [PENDULUM_ID]: {
    summary: 'swing a pendulum up and hold it: Pendulum-v1 of OpenAI Gym',
    make: makePendulum,
  },
  [REACH_ID]: {
    summary: 'take a hand to a place above the table: the Sawyer reach task with a mocap hand',
    make: makeReach,
    expert: reachExpert,
  },
  [PUSH_MULTI_ID]: {
    summary: 'push several objects to their goals, with looks that may change from episode to episode',
    make: makePushMulti,
    expert: pushMultiExpert,
  },
  [DOOR_ID]: {
    summary: 'open a door by its handle to an angle: the Sawyer door task with a mocap hand',
    make: makeDoor,
    expert: doorExpert,
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
