import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ExpertFactory } from '../../envs/experts/expert.ts'
import type { Env, GoalEnv, Observation } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError, nearestNames } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { GoalView } from '../core/policy.ts'
import { Rng } from '../core/rng.ts'
import { bound } from '../core/spaces.ts'
import { agentPolicy } from '../run/policies.ts'
import type { PolicyShare } from '../config/behaviours.ts'
import { BEHAVIOURS } from '../config/behaviours.ts'
import { loadRun } from './load-run.ts'
import type { Player } from './scene-player.ts'
import { scenePlayer } from './scene-player.ts'

/** The classes of behaviour that an evaluation of rewards needs beside each other. */
type BehaviourName = (typeof BEHAVIOURS)[number]

/** Standard deviation of the noise on an expert's actions, as a share of half their range. */
const NOISE = 0.4
/** Share of an expert's actions that the slow one takes. */
const SLOWNESS = 0.4
/** Of its way: where the partial expert stops. */
const PARTIAL = 0.5
/** An object that moved less was not pushed. */
const UNMOVED_M = 0.01
/** What a goal space calls the parts of a robot; all other coordinates are an object's. */
const ROBOT_NAME = /^(hand|tip|jaw|gripper|finger|joint|arm|opening)_/

/** What acts in the episodes of a recording. */
export interface Behaviour {
  readonly name: string
  /** Whether an episode is none of this class, by a state of it, the first one, and whether the task is solved. */
  readonly isSpoilt?: (first: Float32Array, now: Float32Array, isSolved: boolean) => boolean
  /** After the reset of `env`: what plays this episode in it. */
  begin(env: Env, seed: number, goal: GoalView | undefined): Promise<Player>
}

function isBehaviour(name: string): name is BehaviourName {
  return (BEHAVIOURS as readonly string[]).includes(name)
}

/**
 * What `name` does in `env` and those like it: one of the {@link BEHAVIOURS}, or the deterministic policy of a run folder.
 *
 * - `scripted`: the scene's expert; `random`: uniform actions; `noisy`: the expert with Gaussian noise on its actions; `slow`: the expert
 *   with actions of two fifths, which takes as much longer where actions are displacements.
 * - `partial`: the expert, which stops for good once half of the first distance to the goal is left (half of the time, where there is
 *   no goal); one that succeeds by then is none.
 * - `adversarial`: the robot goes where the goal has it, around the objects, which it leaves where they are; an episode in
 *   which one is moved, or which succeeds since they were where they should be, is none.
 *
 * @throws ArmatureError `not-found` for a scene without an expert, `bad-argument` where the goal does not tell robot and object apart or
 *   a run is of another scene; and what loading a run throws.
 */
export async function behaviourOf(name: string, env: Env, expert: ExpertFactory | undefined): Promise<Behaviour> {
  if (!isBehaviour(name)) return runBehaviour(name, env)
  if (name === 'random') return { name, begin: async (at, seed) => scenePlayer(name, at, expert, seed) }
  if (expert === undefined) {
    const what = `${env.spec.id} has no scripted policy${name === 'scripted' ? '' : `, which "${name}" varies`}`
    throw new ArmatureError('not-found', what, { fix: 'use --policy random' })
  }
  if (name === 'scripted') return { name, begin: async (at, seed) => scenePlayer(name, at, expert, seed) }
  if (name === 'noisy') {
    return { name, begin: async (at, seed) => noisy(at, scenePlayer('scripted', at, expert, seed), seed) }
  }
  if (name === 'slow') {
    return {
      name,
      begin: async (at, seed) => {
        const play = scenePlayer('scripted', at, expert, seed)
        return async (observation) => (await play(observation)).map((x) => SLOWNESS * x)
      },
    }
  }
  if (name === 'partial') {
    return {
      name,
      begin: async (at, seed) => partial(at, scenePlayer('scripted', at, expert, seed)),
      isSpoilt: (_first, _now, isSolved) => isSolved,
    }
  }
  const robot = robotCoordinates(env)
  return {
    name,
    begin: async (at) => adversarial(at as GoalEnv, expert, robot),
    isSpoilt: (first, now, isSolved) => isSolved || objectsMovedM(env as GoalEnv, robot, first, now) > UNMOVED_M,
  }
}

/** Which policy plays each episode: numbers as near to the shares as can be, in random order, so that each stretch has some of each. */
export function planOf(shares: readonly PolicyShare[], episodes: number, rng: Rng): number[] {
  const total = shares.reduce((sum, { share }) => sum + share, 0)
  const exact = shares.map(({ share }) => (share / total) * episodes)
  const counts = exact.map(Math.floor)
  // The largest remainders take what is left.
  const order = shares.map((_, i) => i).toSorted((a, b) => exact[b]! - counts[b]! - (exact[a]! - counts[a]!))
  const missing = episodes - counts.reduce((sum, n) => sum + n, 0)
  for (const i of order.slice(0, missing)) counts[i]!++
  return rng.shuffle(counts.flatMap((n, i) => Array.from({ length: n }, () => i)))
}

async function runBehaviour(path: string, env: Env): Promise<Behaviour> {
  const { parts } = await loadPolicy(path)
  const { config, representation } = parts
  if (config.env.id !== env.spec.id) {
    throw new ArmatureError('bad-argument', `policy ${path}`, {
      expected: `a run in ${env.spec.id}`,
      got: config.env.id,
    })
  }
  const { camera } = representation
  if (camera !== undefined) requireSameCamera(path, camera, parts.env, env)
  return {
    name: path,
    begin: async (_env, _seed, goal) => {
      const policy = agentPolicy(parts)
      await policy.begin(goal)
      return (observation) => policy.act(observation)
    },
  }
}

/** @throws ArmatureError `not-found` that names the behaviours, where `path` is no run folder; what loading a run throws. */
async function loadPolicy(path: string): ReturnType<typeof loadRun> {
  try {
    return await loadRun(path)
  } catch (error) {
    if (!(error instanceof ArmatureError) || error.code !== 'not-found' || existsSync(join(path, 'config.json')))
      throw error
    const near = nearestNames(path, BEHAVIOURS)
    throw new ArmatureError('not-found', `${path} is not a run folder, nor a policy`, {
      expected: `${BEHAVIOURS.join(', ')} or a run folder`,
      ...(near.length > 0 ? { fix: `did you mean ${near.join(' or ')}?` } : {}),
      cause: error,
    })
  }
}

function requireSameCamera(path: string, camera: string, trained: Env, env: Env): void {
  const shapeIn = ({ spec }: Env): string => spec.imageSpaces[camera]?.shape.join('x') ?? 'no such camera'
  if (shapeIn(trained) === shapeIn(env)) return
  throw new ArmatureError('bad-argument', `policy ${path}`, {
    expected: `camera ${camera} of ${shapeIn(trained)}`,
    got: shapeIn(env),
    fix: 'add it to --cameras, in the size that the run was trained with',
  })
}

function noisy({ spec }: Env, expert: Player, seed: number): Player {
  const { low, high } = spec.actionSpace
  const rng = new Rng(seed).split('action noise')
  return async (observation) =>
    (await expert(observation)).map((x, i) => {
      const [from, to] = [bound(low, i), bound(high, i)]
      return Math.min(to, Math.max(from, x + (NOISE * (to - from) * rng.normal()) / 2))
    })
}

function partial(env: Env, expert: Player): Player {
  const still = new Float32Array(sizeOf(env.spec.actionSpace.shape))
  const left = wayLeft(env)
  let first: number | undefined
  let hasStopped = false
  return async (observation) => {
    const now = left(observation)
    first ??= now
    hasStopped ||= now <= PARTIAL * first
    return hasStopped ? still : expert(observation)
  }
}

/** Distance to the goal, or steps left where there is none. */
function wayLeft(env: Env): (observation: Observation) => number {
  if (isGoalEnv(env)) {
    return ({ state }) => {
      const { distance } = env.goalDistances(env.achievedGoal(state), env.goal)
      return distance ?? 0
    }
  }
  let steps = env.spec.maxEpisodeSteps + 1
  return () => --steps
}

/** Which coordinates of the goal are the robot's. */
function robotCoordinates(env: Env): readonly boolean[] {
  const names = isGoalEnv(env) ? (env.goalSpace.names ?? []) : []
  const isRobot = names.map((name) => ROBOT_NAME.test(name))
  if (isRobot.includes(true) && isRobot.includes(false)) return isRobot
  throw new ArmatureError('bad-argument', `--policy adversarial in ${env.spec.id}`, {
    expected: 'a goal for the robot and one for an object',
    got: names.length === 0 ? 'no goal' : `a goal of ${names.join(', ')}`,
    fix: 'leave it out for this scene',
  })
}

/** To the expert, all objects are where they should be at every moment: what is left to it is the robot's own goal. */
function adversarial(env: GoalEnv, expert: ExpertFactory, isRobot: readonly boolean[]): Player {
  const decide = expert()
  return async (observation) => {
    const achieved = env.achievedGoal(observation.state)
    return decide(
      observation,
      achieved.map((x, i) => (isRobot[i]! ? env.goal[i]! : x)),
    )
  }
}

/** How far the objects are from where they were, as the task measures it. */
function objectsMovedM(env: GoalEnv, isRobot: readonly boolean[], first: Float32Array, now: Float32Array): number {
  const before = env.achievedGoal(first)
  const after = env.achievedGoal(now).map((x, i) => (isRobot[i]! ? before[i]! : x))
  return env.goalDistances(after, before)['distance'] ?? 0
}
