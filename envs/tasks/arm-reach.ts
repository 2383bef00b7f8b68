import type { GoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import { distance3 } from '../distance.ts'
import type { Scene } from '../camera/scene.ts'
import { setPosition } from '../camera/scene.ts'
import { PANDA_WITH_TOOL } from '../robots/panda.ts'
import type { ArmControlMode } from '../robots/arm-control.ts'
import { controlOption } from '../robots/arm-control.ts'
import type { RobotModel } from '../robots/robot-model.ts'
import { fitArm } from '../robots/urdf-arm.ts'
import { loadUrdf } from '../robots/urdf-files.ts'
import { oneOf, text } from '../options.ts'
import { readSceneOptions, sceneEnv } from '../scene-env.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { ArmBenchSpec, Corner } from './arm-bench.ts'
import { ARM_CAMERAS, ArmBench, BASE, CONTROL_HZ, TIP_LIMITS, TIP_NAMES } from './arm-bench.ts'

export const ARM_REACH_ID = 'armature/ArmReach-v0'

const SUCCESS_M = 0.03
const SETTLE_SUBSTEPS = 60
const BOX: readonly [Corner, Corner] = [
  [-0.15, -0.2, 0.03],
  [0.15, 0.2, 0.35],
]
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
 * `robot` is the path of a URDF file, whose robot takes the Panda's place, and `tip` its link to move (default: the last one); `looks:
 * 'collision'` draws it as it collides. The box of goals shrinks to the reach of small robots, and the tip's orientation is free.
 */
export async function makeArmReach(given: Readonly<Record<string, unknown>> = {}): Promise<GoalEnv> {
  const options = readSceneOptions(
    ARM_REACH_ID,
    { physics: physicsOption, control: controlOption, robot: text, tip: text, looks: oneOf('own', 'collision') },
    given,
  )
  const { robot, tip, looks, control } = options
  const arm = robot === undefined ? PANDA_ARM : armOf(loadUrdf(robot, { visuals: looks ?? 'own' }), tip)
  return sceneEnv(new ArmReach(await loadPhysics(options.physics), arm, control), options)
}

const PANDA_ARM: ArmBenchSpec = { model: PANDA_WITH_TOOL, tip: 'tip', tipStart: START, box: BOX }

/** Any robot before the table; its tip is free to turn, since not every robot could hold it. */
function armOf(model: RobotModel, tip: string = model.links.at(-1)!.name): ArmBenchSpec {
  const { home, box, reachM } = fitArm(model, tip, BASE, BOX)
  const limit = 1.5 * reachM
  const tipLimits = BASE.positionM.map((x) => Math.abs(x) + limit)
  return { model, tip, tipStart: START, box, home, keepsOrientation: false, tipLimits }
}

class ArmReach implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace
  readonly scene: Scene
  readonly cameras: Task['cameras'] = { ...ARM_CAMERAS, ...WIDE_CAMERAS }
  readonly #bench: ArmBench
  readonly #box: ArmBenchSpec['box']
  readonly #physics: SettledWorld

  constructor(engine: PhysicsEngine, arm: ArmBenchSpec, control: ArmControlMode | undefined) {
    this.#bench = new ArmBench(arm, control)
    this.#box = arm.box
    this.scene = this.#bench.createScene([
      {
        name: 'goal',
        shape: { kind: 'sphere', radiusM: 0.02 },
        color: [255, 90, 80],
        visibleToCameras: false,
      },
    ])
    const { limits, names } = this.#bench.proprioLimits
    this.goalSpace = symmetricSpace(arm.tipLimits ?? TIP_LIMITS, TIP_NAMES)
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
    if (start === 'random') this.#bench.drive(pointIn(this.#box, rng))
  }

  step(action: Float32Array): void {
    this.#bench.step(action)
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    this.#bench.observe(state, proprio)
  }

  sampleGoal(rng: Rng): Float32Array {
    return Float32Array.from(pointIn(this.#box, rng))
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    return { distance: distance3(achieved, desired) }
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M
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
