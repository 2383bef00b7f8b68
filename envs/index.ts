import type { Env } from '../src/core/env.ts'
import { lookUp } from '../src/core/registry.ts'
import { armLiftExpert } from './experts/arm-lift.ts'
import { armPushExpert } from './experts/arm-push.ts'
import { armReachExpert } from './experts/arm-reach.ts'
import type { ExpertFactory } from './experts/expert.ts'
import { ARM_LIFT_ID, makeArmLift } from './tasks/arm-lift.ts'
import { ARM_PUSH_ID, makeArmPush } from './tasks/arm-push.ts'
import { ARM_REACH_ID, makeArmReach } from './tasks/arm-reach.ts'
import { makePendulum, PENDULUM_ID } from './tasks/pendulum.ts'
import { makePushPuck, PUSH_PUCK_ID } from './tasks/push-puck.ts'
import { loadPhysics } from './world/engine.ts'

/** One registered scene. */
export interface EnvEntry {
  readonly summary: string
  /** Solves the task from privileged state, where that makes sense. */
  readonly expert?: ExpertFactory
  make(options?: Readonly<Record<string, unknown>>): Promise<Env>
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
  [ARM_REACH_ID]: {
    summary: 'take the tip of a Panda arm to a point',
    expert: armReachExpert,
    make: makeArmReach,
  },
  [ARM_PUSH_ID]: {
    summary: 'push a puck to its goal with a Panda arm',
    expert: armPushExpert,
    make: makeArmPush,
  },
  [ARM_LIFT_ID]: {
    summary: 'pick up a cube with a Panda arm and its gripper and lift it to a point',
    expert: armLiftExpert,
    make: makeArmLift,
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
