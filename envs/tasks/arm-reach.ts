import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { distance3 } from '../distance.ts'
import type { Scene } from '../camera/scene.ts'
import { setPosition } from '../camera/scene.ts'
import { PANDA_WITH_TOOL } from '../robots/panda.ts'
import type { ArmControlMode } from '../robots/arm-control.ts'
import { controlOption } from '../robots/arm-control.ts'
import { ROBOT_OPTIONS, robotOf } from '../robots/robot-option.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { ArmBenchSpec, Corner } from './arm-bench.ts'
import { ARM_CAMERAS, ArmBench, CONTROL_HZ, scaledCameras, TIP_NAMES, workplaceOf } from './arm-bench.ts'

export const ARM_REACH_ID = 'armature/ArmReach-v0'

const SUCCESS_M = 0.03
const SETTLE_SUBSTEPS = 60
const BOX: readonly [Corner, Corner] = [
  [-0.15, -0.2, 0.03],
  [0.15, 0.2, 0.35],
]
/** Goals of robots from files lie this many success radii from where the tip starts. */
const AWAY_FROM_START = 2
/** The fit made sure that at least half of the box will do. */
const ATTEMPTS = 1000
const START: Corner = [0, 0, 0.15]

/** Further away than those of scenes with objects: there is nothing small to see, and the tip goes up. */
const WIDE_CAMERAS: Task['cameras'] = {
  front: { name: 'front', eyeM: [0.85, 0, 0.6], targetM: [-0.1, 0, 0.2], fovYDeg: 42 },
  side: { name: 'side', eyeM: [0.05, -1, 0.5], targetM: [-0.05, 0, 0.2], fovYDeg: 42 },
  top: { name: 'top', eyeM: [0.1, 0, 1.35], targetM: [-0.12, 0, 0.15], fovYDeg: 42 },
}

/**
 * Take the tip of a Panda's rod to a point: Fetch's and panda-gym's reach with a real arm. Action (`control: 'cartesian-delta'`): the tip's
 * displacement, 2 cm per unit, at 20 Hz; or all joints (see `ArmControlMode`). State and goal: the tip's position in metres. Reward: minus
 * the distance; success below 3 cm. Never terminates; truncated after 50 steps. `start: 'random'` starts with the tip anywhere.
 *
 * `robot` and what goes with it (see `ROBOT_OPTIONS`) put a robot from a file in the Panda's place. The box of goals, the success radius, the
 * step and the cameras scale with its reach; the tip's orientation is free; goals are where all of it stays above the table, and not where
 * its tip starts.
 */
export async function makeArmReach(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const readers = { physics: physicsOption, control: controlOption, ...ROBOT_OPTIONS }
  const options = readSceneOptions(ARM_REACH_ID, readers, given)
  const robot = await robotOf(ARM_REACH_ID, options, workplaceOf(BOX))
  const arm: ArmBenchSpec =
    robot === undefined
      ? { model: PANDA_WITH_TOOL, tip: 'tip', tipStart: START, box: BOX }
      : { ...robot, tipStart: START, box: robot.fitted.box, keepsOrientation: false }
  return sceneEnv(new ArmReach(await loadPhysics(options.physics), arm, options.control), options)
}

class ArmReach implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace
  readonly scene: Scene
  readonly cameras: Task['cameras']
  readonly #bench: ArmBench
  readonly #box: ArmBenchSpec['box']
  readonly #scale: number
  /** Where the tip starts, for robots whose goals are chosen by what they can reach. */
  readonly #tipStart: Corner | undefined
  readonly #physics: SettledWorld

  constructor(engine: PhysicsEngine, arm: ArmBenchSpec, control: ArmControlMode | undefined) {
    this.#bench = new ArmBench(arm, control)
    this.#box = arm.box
    this.#scale = arm.fitted?.scale ?? 1
    this.#tipStart = arm.fitted && (Array.from(this.#bench.control.tipAt(arm.fitted.home)) as unknown as Corner)
    this.cameras = scaledCameras({ ...ARM_CAMERAS, ...WIDE_CAMERAS }, this.#scale)
    this.scene = this.#bench.createScene([
      {
        name: 'goal',
        shape: { kind: 'sphere', radiusM: 0.02 * this.#scale },
        color: [255, 90, 80],
        visibleToCameras: false,
      },
    ])
    const { limits, names } = this.#bench.proprioLimits
    this.goalSpace = symmetricSpace(this.#bench.tipLimits, TIP_NAMES)
    this.spec = {
      id: ARM_REACH_ID,
      actionNames: this.#bench.control.actionNames,
      proprioSpace: symmetricSpace(limits, names),
      stateSpace: this.goalSpace,
      controlHz: CONTROL_HZ,
      maxEpisodeSteps: 50,
      starts: ['default', 'random'],
    }
    const { world, handles } = this.#bench.createWorld(engine)
    this.#physics = new SettledWorld(engine, world, SETTLE_SUBSTEPS, (current) => this.#bench.attach(current, handles))
  }

  reset(start: string, rng: Rng): void {
    this.#physics.reset()
    if (start === 'random') this.#bench.drive(this.#point(rng))
  }

  step(action: Float32Array): void {
    this.#bench.step(action)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    this.#bench.observe(state, proprio)
  }

  sampleGoal(rng: Rng): Float32Array {
    return Float32Array.from(this.#point(rng))
  }

  /** Anywhere in the box; for a robot from a file where it fits, and where standing still is not enough. */
  #point(rng: Rng): Corner {
    const start = this.#tipStart
    if (start === undefined) return pointIn(this.#box, rng)
    const away = AWAY_FROM_START * SUCCESS_M * this.#scale
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const point = pointIn(this.#box, rng)
      if (distance3(point, start) > away && this.#bench.fits(...point)) return point
    }
    throw new ArmatureError('bad-argument', `robot ${this.#bench.plan.spec.model.name}`, {
      got: `no place among ${ATTEMPTS} that it reaches with all of it above the table`,
      fix: 'name another tip, set base, or make the joints of a base that drives about fixed',
    })
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance3(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M * this.#scale
  }

  showAt(goal: Float32Array): void {
    this.#bench.showTipAt(goal[0]!, goal[1]!, goal[2]!)
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal'), goal[0]!, goal[1]!, goal[2]!)
  }

  save(): TaskState {
    return { json: this.#bench.saved, snapshot: this.#physics.save() }
  }

  restore({ json, snapshot }: TaskState): void {
    this.#physics.restore(snapshot)
    this.#bench.restore(json)
  }

  close(): void {
    this.#physics.close()
  }
}

function pointIn([low, high]: readonly [Corner, Corner], rng: Rng): Corner {
  return [rng.uniform(low[0], high[0]), rng.uniform(low[1], high[1]), rng.uniform(low[2], high[2])]
}
