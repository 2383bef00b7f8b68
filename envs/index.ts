import type { Env } from '../src/core/env.ts'
import { lookUp } from '../src/core/registry.ts'
import { cartPoleExpert } from './experts/cart-pole.ts'
import { discArenaExpert } from './experts/disc-arena.ts'
import type { ExpertFactory } from './experts/expert.ts'
import { fingerSpinExpert } from './experts/finger-spin.ts'
import { reacherExpert } from './experts/reacher.ts'
import { ringWorldExpert } from './experts/ring-world.ts'
import { CART_POLE_ID, makeCartPole } from './tasks/cart-pole.ts'
import { DISC_ARENA_ID, makeDiscArena } from './tasks/disc-arena.ts'
import { FINGER_SPIN_ID, makeFingerSpin } from './tasks/finger-spin.ts'
import { makePendulum, PENDULUM_ID } from './tasks/pendulum.ts'
import { makePushPuck, PUSH_PUCK_ID } from './tasks/push-puck.ts'
import { makeReacher, REACHER_ID } from './tasks/reacher.ts'
import { makeRingWorld, RING_WORLD_ID } from './tasks/ring-world.ts'
import { loadPhysics } from './world/engine.ts'

/** One registered scene. */
export interface EnvEntry {
  readonly summary: string
  make(options?: Readonly<Record<string, unknown>>): Promise<Env>
  /** Solves the task from privileged state, where that makes sense. */
  expert?: ExpertFactory
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
  [CART_POLE_ID]: {
    summary: 'balance a pole on a cart, or swing it up first: the cartpole of dm_control',
    make: makeCartPole,
    expert: cartPoleExpert,
  },
  [DISC_ARENA_ID]: {
    summary: 'take a disc of another colour in every episode to its goal: Point2D of multiworld',
    make: makeDiscArena,
    expert: discArenaExpert,
  },
  [REACHER_ID]: {
    summary: 'bring the tip of a two-link arm to a target: the reacher of dm_control',
    make: makeReacher,
    expert: reacherExpert,
  },
  [RING_WORLD_ID]: {
    summary: 'go around a ring to a mark, with the way along the ring as the true distance: DonutWorld of DeepMDP',
    make: makeRingWorld,
    expert: ringWorldExpert,
  },
  [FINGER_SPIN_ID]: {
    summary: 'flick a spinner with a two-link finger to keep it turning: the finger of dm_control',
    make: makeFingerSpin,
    expert: fingerSpinExpert,
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
