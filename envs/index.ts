import type { Env } from '../src/core/env.ts'
import { ArmatureError } from '../src/core/errors.ts'
import { ENV_ID, lookUp, register } from '../src/core/registry.ts'
import { armLiftExpert } from './experts/arm-lift.ts'
import { armPushExpert } from './experts/arm-push.ts'
import { armReachExpert } from './experts/arm-reach.ts'
import { cartPoleExpert } from './experts/cart-pole.ts'
import { discArenaExpert } from './experts/disc-arena.ts'
import { doorExpert } from './experts/door.ts'
import type { ExpertFactory } from './experts/expert.ts'
import { fingerSpinExpert } from './experts/finger-spin.ts'
import { graspBinExpert } from './experts/grasp-bin.ts'
import { mountainCarExpert } from './experts/mountain-car.ts'
import { pickPlaceExpert } from './experts/pick-place.ts'
import { pushMultiExpert } from './experts/push-multi.ts'
import { pushPuckExpert } from './experts/push-puck.ts'
import { reachExpert } from './experts/reach.ts'
import { reacherExpert } from './experts/reacher.ts'
import { ringWorldExpert } from './experts/ring-world.ts'
import { ARM_LIFT_ID, makeArmLift } from './tasks/arm-lift.ts'
import { ARM_PUSH_ID, makeArmPush } from './tasks/arm-push.ts'
import { ARM_REACH_ID, makeArmReach } from './tasks/arm-reach.ts'
import { CART_POLE_ID, makeCartPole } from './tasks/cart-pole.ts'
import { DISC_ARENA_ID, makeDiscArena } from './tasks/disc-arena.ts'
import { DOOR_ID, makeDoor } from './tasks/door.ts'
import { FINGER_SPIN_ID, makeFingerSpin } from './tasks/finger-spin.ts'
import { GRASP_BIN_ID, makeGraspBin } from './tasks/grasp-bin.ts'
import { makeMountainCar, MOUNTAIN_CAR_ID } from './tasks/mountain-car.ts'
import { makePendulum, PENDULUM_ID } from './tasks/pendulum.ts'
import { makePickPlace, PICK_PLACE_ID } from './tasks/pick-place.ts'
import { makePushMulti, PUSH_MULTI_ID } from './tasks/push-multi.ts'
import { makePushPuck, PUSH_PUCK_ID } from './tasks/push-puck.ts'
import { makeReach, REACH_ID } from './tasks/reach.ts'
import { makeReacher, REACHER_ID } from './tasks/reacher.ts'
import { makeRingWorld, RING_WORLD_ID } from './tasks/ring-world.ts'
import { loadPhysics } from './world/engine.ts'

/** How an agent that learns from pixels had better go about a scene: `train --env` with presets such as `pixels` sets these. */
export interface PixelHints {
  /** Control steps for which it holds an action: option `actionRepeat`; default 1. */
  readonly actionRepeat?: number
  /** Steps of reward before the bootstrap, `replay.nStep`; default 3, which brings rewards that come late sooner. Where each step pays for itself 1 is better. */
  readonly nStep?: number
}

/** One registered scene. */
export interface EnvEntry {
  readonly summary: string
  make(options?: Readonly<Record<string, unknown>>): Promise<Env>
  readonly fromPixels?: PixelHints
  /** Solves the task from privileged state, where that makes sense. */
  readonly expert?: ExpertFactory
}

/** An env of your own, for {@link registerEnv}. */
export interface OwnEnv extends Omit<EnvEntry, 'make'> {
  /** A new env: training makes one and evaluation another. `options` is what a configuration or `makeEnv` is given for it. */
  make(options?: Readonly<Record<string, unknown>>): Env | Promise<Env>
}

const catalogue: Record<string, EnvEntry> = {
  [PUSH_PUCK_ID]: {
    summary: 'push a puck to its goal and the hand to another: the Sawyer push task with a mocap hand',
    make: makePushPuck,
    expert: pushPuckExpert,
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
  [CART_POLE_ID]: {
    summary: 'balance a pole on a cart, or swing it up first: the cartpole of dm_control',
    make: makeCartPole,
    fromPixels: { actionRepeat: 4 },
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
    fromPixels: { actionRepeat: 4, nStep: 1 },
    expert: reacherExpert,
  },
  [RING_WORLD_ID]: {
    summary: 'go around a ring to a mark, with the way along the ring as the true distance: DonutWorld of DeepMDP',
    make: makeRingWorld,
    expert: ringWorldExpert,
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
  [GRASP_BIN_ID]: {
    summary: 'grasp procedural objects from a bin, one whole grasp per step: the data of Grasp2Vec',
    make: makeGraspBin,
    expert: graspBinExpert,
  },
  [DOOR_ID]: {
    summary: 'open a door by its handle to an angle: the Sawyer door task with a mocap hand',
    make: makeDoor,
    expert: doorExpert,
  },
  [FINGER_SPIN_ID]: {
    summary: 'flick a spinner with a two-link finger to keep it turning: the finger of dm_control',
    make: makeFingerSpin,
    fromPixels: { actionRepeat: 2 },
    expert: fingerSpinExpert,
  },
  [MOUNTAIN_CAR_ID]: {
    summary: 'drive an underpowered car out of a valley: MountainCarContinuous-v0 of Gymnasium',
    make: makeMountainCar,
    expert: mountainCarExpert,
  },
}

/** All scenes by id. */
export const envs: Readonly<Record<string, EnvEntry>> = catalogue

/**
 * Makes an env of your own known by its id, to everything that takes one.
 * @throws ArmatureError `bad-argument` for an id that is none or is taken.
 * @example registerEnv('mine/Cart-v0', { summary: 'a cart on rails', make: () => simpleEnv(spec, new Cart()) })
 */
export function registerEnv(id: string, own: OwnEnv): void {
  const make: EnvEntry['make'] = async (options) => {
    const env: Partial<Env> | null | undefined = await own.make(options)
    if (typeof env?.reset === 'function' && typeof env.step === 'function' && env.spec !== undefined) return env as Env
    const got = env === null ? 'null' : typeof env
    throw new ArmatureError('bad-argument', `env ${id}`, { expected: 'its make to return an env', got })
  }
  register('env', catalogue, ENV_ID, id, typeof own.make === 'function' ? { ...own, make } : own, { make: 'function' })
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
