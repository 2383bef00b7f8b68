import type { World } from '@dimforge/rapier3d-simd-compat'
import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'
import type { ArmHandles } from '../robots/arm.ts'
import { addArm, Arm, ArmPlan } from '../robots/arm.ts'
import type { ArmControlMode } from '../robots/arm-control.ts'
import { ArmControl } from '../robots/arm-control.ts'
import type { TableTop } from '../robots/body-clearance.ts'
import { BodyClearance } from '../robots/body-clearance.ts'
import type { Corner, FittedArm, Workplace } from '../robots/fit-arm.ts'
import { InverseKinematics } from '../robots/inverse-kinematics.ts'
import { chainOf, Kinematics } from '../robots/kinematics.ts'
import type { PoseSpec, RobotModel } from '../robots/robot-model.ts'
import { RobotLook, robotPrimitives } from '../robots/robot-look.ts'
import type { Fingers } from '../robots/tools.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { createWorld } from '../world/physics-world.ts'

export type { Corner }

/** What the scenes with an arm differ in. */
export interface ArmBenchSpec {
  readonly model: RobotModel
  /** Link that actions move. */
  readonly tip: string
  /** Where the tip starts, in the frame of the table's top: x away from the robot, y to its left, z up; the robot stands at x = -0.5. */
  readonly tipStart: Corner
  readonly box: readonly [Corner, Corner]
  /** The last coordinates of the model, and where they are at home. */
  readonly fingers?: Fingers
  readonly fingersAt?: 'open' | 'closed'
  /** How a robot of the user's was fitted to the bench; absent: a Panda, pointing down. */
  readonly fitted?: FittedArm
  /** See `ArmControlSpec`. */
  readonly keepsOrientation?: boolean
  readonly pointsDown?: boolean
  /** How much the arm grips. */
  readonly friction?: number
}

export const CONTROL_HZ = 20
const SUBSTEPS = 12
const TIP_STEP_M = 0.02
const JOINT_STEP_RAD = 0.05
/** Down to here the experts were seen to push and lift: cubes of 4 mm and of a tenth of a gram. */
const LEAST_WORKTOP_SCALE = 0.1
/** Where the robot stands: at the edge of the table. */
export const BASE: PoseSpec = { positionM: [-0.5, 0, 0], quatXyzw: [0, 0, 0, 1] }
const TABLE: TableTop = { low: [-0.4, -0.6], high: [0.8, 0.6] }
const READY: readonly number[] = [0, -Math.PI / 4, 0, (-3 * Math.PI) / 4, 0, Math.PI / 2, Math.PI / 4]

const TABLE_GROUP = 0x0001
const OBJECT_GROUP = 0x0002
const ARM_GROUP = 0x0004
const FENCE_GROUP = 0x0008
/** Rapier packs membership and filter into one number. The fence is for objects only: the arm reaches over it. */
export const COLLISION: {
  readonly table: number
  readonly object: number
  readonly arm: number
  readonly fence: number
} = {
  table: (TABLE_GROUP << 16) | OBJECT_GROUP | ARM_GROUP,
  object: (OBJECT_GROUP << 16) | TABLE_GROUP | OBJECT_GROUP | ARM_GROUP | FENCE_GROUP,
  arm: (ARM_GROUP << 16) | TABLE_GROUP | OBJECT_GROUP,
  fence: (FENCE_GROUP << 16) | OBJECT_GROUP,
}

/** The bench for robots of any size, with a box for the tip. */
export function workplaceOf(box: Workplace['box']): Workplace {
  return { base: BASE, box, table: TABLE }
}

/** The same for tools that point down at what lies around the middle of the table. */
export function worktopOf(box: Workplace['box'], start: Corner): Workplace {
  return { ...workplaceOf(box), start, pointsDown: true, aboutMiddle: true, leastScale: LEAST_WORKTOP_SCALE }
}

/** A place that scales about the middle of the table. */
export function times([x, y, z]: Corner, scale: number): Corner {
  return [x * scale, y * scale, z * scale]
}

/**
 * A Panda before a table: what all scenes with an arm share. Joint drives follow their targets as real ones would, under effort limits,
 * with gravity compensated.
 */
export class ArmBench {
  readonly plan: ArmPlan
  readonly control: ArmControl
  /** The arm in the present world; set by `attach`. */
  arm!: Arm
  readonly #spec: ArmBenchSpec
  readonly #mode: ArmControlMode
  #world!: World
  #look: RobotLook | undefined
  /** Over the rows of joints and contacts, per substep. */
  readonly #sweeps: number
  readonly #scale: number
  readonly #table: TableTop
  readonly #clearance: BodyClearance
  readonly #shown: Float64Array
  readonly #advance: () => void

  constructor(spec: ArmBenchSpec, mode: ArmControlMode = 'cartesian-delta') {
    this.#spec = spec
    this.#mode = mode
    const { fitted } = spec
    const beyond = spec.fingers?.[spec.fingersAt ?? 'closed'] ?? []
    const home = [...(fitted?.home.slice(0, fitted.home.length - beyond.length) ?? readyAt(spec)), ...beyond]
    const scale = fitted?.scale ?? 1
    this.plan = new ArmPlan({
      model: spec.model,
      base: fitted?.base ?? BASE,
      home,
      // Commands of joint positions throw the arm about; measured from home, its last joint would pass half a turn.
      zero: fitted === undefined && mode !== 'joint-position' ? 'home' : 'middle',
      collisionGroups: COLLISION.arm,
      friction: spec.friction ?? 0.5,
      ...(spec.fingers === undefined ? {} : { gains: spec.fingers.gains }),
    })
    this.#sweeps = spec.fingers === undefined ? 4 : 8
    this.#scale = scale
    this.#table = fitted?.table ?? TABLE
    this.#clearance = new BodyClearance(this.plan.kinematics, this.#table)
    this.control = new ArmControl(this.plan, {
      mode,
      tip: spec.tip,
      keepsOrientation: spec.keepsOrientation ?? true,
      pointsDown: spec.pointsDown ?? false,
      box: spec.box,
      stepM: TIP_STEP_M * Math.min(1, this.#scale),
      stepRad: JOINT_STEP_RAD,
      controlHz: CONTROL_HZ,
      substeps: SUBSTEPS,
    })
    this.#shown = new Float64Array(home.length)
    this.#advance = () => {
      this.#world.step()
    }
  }

  /** A world with the table and the arm. */
  createWorld(engine: PhysicsEngine): { readonly world: World; readonly handles: ArmHandles } {
    const world = createWorld(engine)
    // Sweeps over the rows of joints and contacts are cheap. Without them the drives are far softer than told, above all down the chain;
    // in a grip, 4 let a cube creep by 0.05 mm/s, 8 hold it.
    world.integrationParameters.numSolverIterations = 2
    world.integrationParameters.numInternalPgsIterations = this.#sweeps
    const { halfM, middleM } = this.#tableSize()
    const table = engine.rapier.ColliderDesc.cuboid(...halfM, 0.05).setTranslation(...middleM, -0.05)
    world.createCollider(table.setFriction(0.6).setCollisionGroups(COLLISION.table))
    return { world, handles: addArm(engine, world, this.plan) }
  }

  /** The scene that holds the arm and `more`. */
  createScene(more: readonly PrimitiveSpec[]): Scene {
    const large = Math.max(1, this.#spec.fitted?.standScale ?? 1)
    const scene = new Scene({
      background: [24, 26, 30],
      lightDirection: [0.6, -0.5, 1],
      ambient: 0.5,
      shadow: { onto: 'table', z: 0, strength: 0.35 },
      primitives: [
        {
          name: 'table',
          shape: { kind: 'plane', halfExtentsM: [0.6 * large, 0.5 * large] },
          positionM: [BASE.positionM[0] + (-0.1 - BASE.positionM[0]) * large, 0, 0],
          color: [70, 88, 84],
          checker: { color: [84, 104, 98], squareM: 0.1 },
          isStatic: true,
        },
        ...more,
        ...robotPrimitives(this.#spec.model),
      ],
    })
    this.#look = new RobotLook(scene, this.plan.kinematics)
    return scene
  }

  /** Finds the arm in `world` again, with its targets at home. */
  attach(world: World, handles: ArmHandles): void {
    this.#world = world
    this.arm = new Arm(world, handles, this.plan)
    this.control.command.set(this.plan.spec.home)
  }

  /** What an arm's state is besides the physics: the targets of its joints. */
  get saved(): { readonly command: readonly number[] } {
    return { command: [...this.control.command] }
  }

  /** Takes what `saved` gave, after `attach`. */
  restore(saved: unknown): void {
    this.control.command.set((saved as ArmBench['saved']).command)
  }

  /** Drives the tip to a place, and rests there. */
  drive([x, y, z]: Corner): void {
    const { control, arm } = this
    arm.read()
    const from = control.command.slice()
    control.reach(control.command, x, y, z)
    const [to, rest] = [control.command, new Float64Array(from.length)]
    for (let i = 1; i <= RAMP; i++) {
      arm.setTargets(
        from.map((q, j) => q + ((to[j]! - q) * i) / RAMP),
        rest,
      )
      this.#world.step()
    }
    control.hold(arm, RAMP, this.#advance)
  }

  step(action: Float32Array, beyond?: (next: Float64Array) => void): void {
    if (this.#mode !== 'cartesian-delta') {
      this.#world.integrationParameters.numInternalPgsIterations = this.#isNearStop() ? STOP_SWEEPS : this.#sweeps
    }
    this.control.step(this.arm, action, this.#advance, beyond)
  }

  /** Reads the arm and shows it as it is; writes q, qd and the tip's position to `proprio` and the latter to `state`, from 0 on. */
  observe(state: Float32Array, proprio: Float32Array): void {
    this.arm.read()
    const { q, qd } = this.arm
    proprio.set(q)
    proprio.set(qd, q.length)
    const tip = this.control.tipAt(q)
    proprio.set(tip, 2 * q.length)
    state.set(tip)
    this.#show(q)
  }

  /** Shows the arm with its tip at a place and `beyond` as the positions of the joints beyond it; the physics is not touched. */
  showTipAt(x: number, y: number, z: number, beyond: readonly number[] = []): void {
    this.#shown.set(this.plan.spec.home)
    this.control.reach(this.#shown, x, y, z)
    this.#shown.set(beyond, this.#shown.length - beyond.length)
    this.#show(this.#shown)
  }

  /** Whether the arm goes straight from home to a place with its tip, and all of it above the table on the way. */
  fits(x: number, y: number, z: number): boolean {
    this.#shown.set(this.plan.spec.home)
    let distance = Infinity
    for (let step = 0; step < WALK_STEPS && distance > REACHED_M; step++) {
      distance = this.control.walk(this.#shown, x, y, z)
      this.plan.kinematics.forward(this.#shown)
      if (this.#clearance.lowestM() < 0) return false
    }
    return distance <= REACHED_M && this.#clearance.lowestM() >= CLEAR_M * Math.min(1, this.#scale)
  }

  /** Limits and names of what `observe` writes to `proprio`. */
  get proprioLimits(): { readonly limits: readonly number[]; readonly names: readonly string[] } {
    const { joints } = this.plan.kinematics
    const unit = joints.map(({ kind }) => (kind === 'prismatic' ? 'm' : 'rad'))
    return {
      limits: [
        ...joints.map((_, j) => Math.max(2 * Math.PI, 1 - this.plan.lower[j]!, 1 + this.plan.upper[j]!)),
        ...joints.map(() => MAX_SEEN_SPEED),
        ...this.tipLimits,
      ],
      names: [
        ...joints.map(({ name }, j) => `${name}_${unit[j]}`),
        ...joints.map(({ name }, j) => `${name}_${unit[j]}_per_s`),
        ...TIP_NAMES,
      ],
    }
  }

  /** Bounds of |x|, |y| and |z| of the tip. */
  get tipLimits(): readonly number[] {
    const { fitted } = this.#spec
    if (fitted === undefined) return TIP_LIMITS
    const { reachM, base } = fitted
    return base.positionM.map((x) => Math.abs(x) + 1.5 * reachM + Math.abs(base.positionM[2]))
  }

  /** Whether a joint may come to a stop within this step, as it was last read. */
  #isNearStop(): boolean {
    const { lower, upper, kinematics } = this.plan
    const { q } = this.arm
    for (let j = 0; j < q.length; j++) {
      if (kinematics.joints[j]!.kind === 'prismatic') continue
      if (q[j]! < lower[j]! + NEAR_STOP_RAD || q[j]! > upper[j]! - NEAR_STOP_RAD) return true
    }
    return false
  }

  /** Half the sides of the table, and its middle, in x and y. */
  #tableSize(): { readonly halfM: [number, number]; readonly middleM: [number, number] } {
    if (this.#spec.fitted === undefined) return { halfM: [0.6, 0.6], middleM: [0.2, 0] }
    const { low, high } = this.#table
    return {
      halfM: [(high[0] - low[0]) / 2, (high[1] - low[1]) / 2],
      middleM: [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2],
    }
  }

  #show(q: ArrayLike<number>): void {
    this.plan.kinematics.forward(q)
    this.#look?.place()
  }
}

/** A joint that is pressed against its stop by all others, through the table, gives way by tenths of a radian with few sweeps. */
const STOP_SWEEPS = 16
const NEAR_STOP_RAD = 0.3
/** Of a tip from where it shall be, and in how many steps it must get there. */
const REACHED_M = 2e-3
const WALK_STEPS = 40
/** The body at a goal stays so far above a table of scale 1: an arm that lags dips below its way. */
const CLEAR_M = 0.01
/** Substeps of each half of `drive`. */
const RAMP = 120
/** rad/s or m/s; real speeds stay well below, but a collision may throw a finger. */
const MAX_SEEN_SPEED = 50
/** The arm's reach around its base, and a little. */
export const TIP_LIMITS: readonly number[] = [1.6, 1.1, 1.4]
export const TIP_NAMES: readonly string[] = ['tip_x_m', 'tip_y_m', 'tip_z_m']

/** The coordinates up to the tip when it points down at its start. */
function readyAt({ model, tip, tipStart }: ArmBenchSpec): Float64Array {
  const chain = new Kinematics(chainOf(model, model.links[0]!.name, tip), BASE)
  const q = Float64Array.from(READY)
  chain.forward(q)
  const target = { position: tipStart, rotation: chain.rotations.slice(-9) }
  const ik = new InverseKinematics(chain, { iterations: 200, posture: READY, postureGain: 0.05 })
  ik.improve(q, target)
  return q
}

/** Cameras that see a place `scale` times as large, about the base or a point, as the ones given see theirs. */
export function scaledCameras<T extends Readonly<Record<string, CameraSpec>>>(
  cameras: T,
  scale: number,
  about: Corner = BASE.positionM,
): T {
  const scaled = (point: Corner): Corner =>
    point.map((x, i) => about[i]! + (x - about[i]!) * scale) as unknown as Corner
  return Object.fromEntries(
    Object.entries(cameras).map(([name, camera]) => [
      name,
      { ...camera, eyeM: scaled(camera.eyeM), targetM: scaled(camera.targetM) },
    ]),
  ) as T
}

/** Cameras about the middle of the table: they see as much as the things on it are large, and the one for people the arm too. */
export function tableCameras<T extends Readonly<Record<string, CameraSpec>>>(
  cameras: T,
  fitted: FittedArm | undefined,
): T {
  const { human, ...others } = cameras
  const near = scaledCameras(others, fitted?.scale ?? 1, [0, 0, 0])
  return { ...near, ...scaledCameras({ human: human! }, fitted?.standScale ?? 1, [0, 0, 0]) } as unknown as T
}

/** Views of a table with an arm behind it; the first is the observation camera, `human` is for people. */
export const ARM_CAMERAS: Readonly<Record<'front' | 'side' | 'top' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0.58, 0, 0.5], targetM: [-0.02, 0, 0.07], fovYDeg: 42 },
  side: { name: 'side', eyeM: [0.12, -0.8, 0.4], targetM: [0, 0, 0.1], fovYDeg: 40 },
  top: { name: 'top', eyeM: [0.3, 0, 0.75], targetM: [0.04, 0, 0], fovYDeg: 42 },
  human: { name: 'human', eyeM: [0.75, -0.85, 0.7], targetM: [-0.15, 0, 0.2], fovYDeg: 40, showsHidden: true },
}
