import type { Info, SimulatedEnv } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { oneOf } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, TaskSpec } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { HOME, LOW_Z_M } from './grasp-bin-layout.ts'
import { GRASP_BIN_ID, GRASP_BIN_SPEC, GraspBin, SLOT_SIZE, SLOTS } from './grasp-bin-scene.ts'
import type { ObjectInstance } from './procedural-objects.ts'
import { graspHalfWidthM, NOVEL_COUNT, objectInstance, TRAIN_COUNT } from './procedural-objects.ts'

export { GRASP_BIN_ID, SLOT_SIZE, SLOTS }

/**
 * Grasp what is in a bin, one whole grasp per step, as the data of Grasp2Vec (Jang et al. 2018) are collected: five objects of a pool of
 * 48 (`{ objects: 'novel' }`: 16 others). Action: where the gripper goes down, in units of 11 cm, and the yaw of its line of closing in
 * units of 90 degrees; it closes, lifts, and holds up what it has before the camera `outcome`, while `scene` looks into the bin from
 * above. All of it is physics, with failures; what was lifted does not come back. State: per object its instance (-1 when it is out
 * of the bin), xyz in metres and yaw.
 *
 * `task`: `clear` (default) pays 1 per lifted object, `info` says which one, and the episode terminates when the bin is empty. `command` is a
 * task with goals: to lift one of the objects in the bin, which the picture of the goal shows in hand by the camera `outcome`. Goal: its
 * instance, -1 for nothing; `distance` is 0 once it is in hand, else 1, and the episode terminates then; the state has the
 * instance in hand at its end. Truncated after 5 grasps.
 */
export async function makeGraspBin(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedEnv> {
  const readers = { physics: physicsOption, objects: oneOf('train', 'novel'), task: oneOf('clear', 'command') }
  const options = readSceneOptions(GRASP_BIN_ID, readers, given)
  const [first, count] = options.objects === 'novel' ? [TRAIN_COUNT, NOVEL_COUNT] : [0, TRAIN_COUNT]
  const pool = instances(first, count)
  const engine = await loadPhysics(options.physics)
  return options.task === 'command'
    ? sceneEnv(new CommandedGrasp(engine, pool), options)
    : sceneEnv(new GraspBin(engine, pool), options)
}

function instances(first: number, count: number): ObjectInstance[] {
  return Array.from({ length: count }, (_, i) => objectInstance(first + i))
}

const INSTANCES = TRAIN_COUNT + NOVEL_COUNT
const NOTHING = -1

/** Of one object: what is in hand, and what is wanted. */
const GOAL_SPACE: BoxSpace = {
  dtype: 'float32',
  shape: [1],
  low: [NOTHING],
  high: [INSTANCES - 1],
  names: ['lifted_instance'],
}

function withLifted(space: BoxSpace): BoxSpace {
  const { shape, low, high, names } = space
  const numbers = (own: number | readonly number[], goal: number | readonly number[]): number[] => [own, goal].flat()
  return {
    ...space,
    shape: [shape[0]! + 1],
    low: numbers(low, GOAL_SPACE.low),
    high: numbers(high, GOAL_SPACE.high),
    names: [...names!, ...GOAL_SPACE.names!],
  }
}

const COMMAND_SPEC: TaskSpec = { ...GRASP_BIN_SPEC, stateSpace: withLifted(GRASP_BIN_SPEC.stateSpace) }

/** The bin with one of its objects for a goal. */
class CommandedGrasp extends GraspBin implements GoalTask {
  override readonly spec: TaskSpec = COMMAND_SPEC
  readonly goalSpace: BoxSpace = GOAL_SPACE
  #wanted = NOTHING

  constructor(engine: PhysicsEngine, pool: readonly ObjectInstance[]) {
    super(engine, pool, instances(0, INSTANCES))
  }

  sampleGoal(rng: Rng): Float32Array {
    const inBin = this.slots.filter(({ isInBin }) => isInBin)
    return Float32Array.of(inBin.length === 0 ? NOTHING : inBin[rng.int(inBin.length)]!.instance.index)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice(SLOTS * SLOT_SIZE)
  }

  /** No metres: 0 for the same instance, else 1. */
  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: Math.round(achieved[0]!) === Math.round(desired[0]!) ? 0 : 1 }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance'] === 0
  }

  override observe(state: Float32Array, proprio: Float32Array): void {
    super.observe(state, proprio)
    state[SLOTS * SLOT_SIZE] = this.lifted[0]?.instance.index ?? NOTHING
  }

  /** Beside what the goal says of success. */
  override info(): Info {
    const { success: _lifted, ...info } = super.info()
    return info
  }

  override terminated(): boolean {
    const [first] = this.lifted
    return super.terminated() || (first !== undefined && first.instance.index === this.#wanted)
  }

  /** The bin without it, and the gripper with it, where and how a grasp along its narrow side would hold it. */
  showAt(goal: Float32Array): void {
    const index = Math.round(goal[0]!)
    this.look.hideAll()
    for (const { body, isInBin, instance } of this.slots) {
      if (body === undefined || !isInBin || instance.index === index) continue
      this.look.show(instance, body.translation(), body.rotation())
    }
    if (index === NOTHING) return
    const wanted = objectInstance(index)
    const [x, y, z, yaw] = HOME
    const halfYaw = (yaw - (wanted.graspYawsRad[0] ?? 0)) / 2
    const turn = { x: 0, y: 0, z: Math.sin(halfYaw), w: Math.cos(halfYaw) }
    this.look.show(wanted, { x, y, z: z + wanted.bottomM - LOW_Z_M }, turn)
    const gapM = graspHalfWidthM(wanted)
    this.jawLook.show(x, y, z, yaw, gapM, gapM)
  }

  /** People see what is wanted in the episode's own picture of the goal. */
  markGoal(goal: Float32Array): void {
    this.#wanted = Math.round(goal[0]!)
  }
}
