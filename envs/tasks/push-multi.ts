import type { RigidBody, World } from '@dimforge/rapier3d-simd-compat'
import type { SimulatedGoalEnv, Info } from '../../src/core/env.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { symmetricSpace } from '../../src/core/spaces.ts'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition } from '../camera/scene.ts'
import { integer, oneOf } from '../options.ts'
import { sceneEnv } from '../scene-env.ts'
import { readSceneOptions } from '../scene-options.ts'
import type { GoalTask, Task, TaskSpec, TaskState } from '../task.ts'
import type { PhysicsEngine } from '../world/engine.ts'
import { loadPhysics, physicsOption } from '../world/engine.ts'
import type { MocapHandHandles } from '../world/mocap-hand.ts'
import { addMocapHand, MocapHand, Z_UP } from '../world/mocap-hand.ts'
import { createWorld } from '../world/physics-world.ts'
import { addBars } from '../world/rim.ts'
import { scaleDynamics } from '../world/scale-dynamics.ts'
import { SettledWorld } from '../world/settled-world.ts'
import type { HueRange } from './hues.ts'
import { HUES } from './hues.ts'
import type { ObjectLook } from './push-multi-layout.ts'
import {
  ARENA,
  CAMERAS,
  COLLISION,
  createPushMultiScene,
  drawHues,
  drawLooks,
  FIXED_LOOKS,
  footprintM,
  HAND,
  HAND_BOX,
  HAND_GOAL_BOX,
  HAND_START,
  MOST_OBJECTS,
  OBJECT,
  OBJECT_BOX,
  paintTable,
  primitiveName,
  RIM_BARS,
} from './push-multi-layout.ts'

export const PUSH_MULTI_ID = 'armature/PushMulti-v0'

const SUBSTEPS = 12
const CONTROL_HZ = 20
/** Displacement of the hand for an action of 1. */
export const ACTION_M: number = 0.02
const DEFAULT_OBJECTS = 2
const STEPS_PER_OBJECT = 75
/** Mean distance of hand and objects from their goals below which it is a success. With one object: a sum of 6 cm. */
const SUCCESS_M = 0.03
/** Nothing starts, and no goals lie, nearer to each other than touching plus this. */
const GAP_M = 0.008
/** How far bodies may be pressed beyond their boxes for an instant. */
const SLACK_M = 0.02
const SETTLE_SUBSTEPS = 30
const ROW_SPACING_M = 0.075

/**
 * Push several objects, each to its own place on the table, and take the hand to another: the multi-object push task of multiworld with
 * a mocap hand instead of the arm. Action: hand displacement, 2 cm per unit, at 20 Hz. State and goal: hand xy, then xy of each
 * object, metres. Objects slide without turning, so these say all. Reward: minus the sum of the distances; success when their mean
 * is below 3 cm. Never terminates; truncated after 75 steps per object.
 *
 * Options: `objects`, 1 to 5 (2); `appearance`: `fixed`, or `random` for shapes, sizes and hues that are drawn at every reset and stay
 * for the episode, as CC-RIG asks, or `hues` for hues alone. Cylinders and boxes only; the sizes are three of each. `hues`: `all` (default), `seen`
 * for three quarters of the colour circle, `unseen` for the rest (violet to red). `ground`: `grey`, or `random` for a table in a
 * dark colour of any hue that is drawn at every reset, too.
 *
 * `reset` puts the objects anywhere and the hand before them; with `{ start: 'row' }` in a row across the middle, a single one into the middle, as
 * PushPuck begins; with `{ start: 'goal' }` at another random goal; with `{ start: 'random' }` with the hand, too, anywhere it can be.
 */
export async function makePushMulti(given: Readonly<Record<string, unknown>> = {}): Promise<SimulatedGoalEnv> {
  const readers = {
    physics: physicsOption,
    objects: integer(1, MOST_OBJECTS),
    appearance: oneOf('fixed', 'random', 'hues'),
    hues: oneOf('all', 'seen', 'unseen'),
    ground: oneOf('grey', 'random'),
  }
  const options = readSceneOptions(PUSH_MULTI_ID, readers, given)
  const engine = await loadPhysics(options.physics)
  const { objects = DEFAULT_OBJECTS, appearance = 'fixed', hues = 'all', ground = 'grey' } = options
  const variety = { appearance, hues: HUES[hues], isGroundRandom: ground === 'random' }
  return sceneEnv(new PushMulti(engine, objects, variety), options)
}

/** What is drawn at each reset besides places. */
interface Variety {
  readonly appearance: 'fixed' | 'random' | 'hues'
  readonly hues: HueRange
  readonly isGroundRandom: boolean
}

interface Saved {
  readonly hand: MocapHand['target']
  readonly looks: readonly ObjectLook[]
  /** Of a table that has one, in turns. */
  readonly groundHue?: number | undefined
}

class PushMulti implements GoalTask {
  readonly spec: TaskSpec
  readonly goalSpace: BoxSpace
  readonly scene: Scene
  readonly cameras: Task['cameras'] = CAMERAS

  readonly #engine: PhysicsEngine
  readonly #variety: Variety
  readonly #handShape: Primitive
  readonly #goalShapes: readonly Primitive[]
  readonly #distanceNames: readonly string[]
  #looks: readonly ObjectLook[]
  /** All primitives that draw objects, and those that draw them in this episode. */
  readonly #variants: readonly Primitive[]
  #objectShapes: readonly Primitive[] = []
  #physics: SettledWorld
  #scales: readonly [mass: number, friction: number] = [1, 1]
  #restZ = 0
  #groundHue: number | undefined
  #hand!: MocapHand
  #objects: RigidBody[] = []
  readonly #vector = { x: 0, y: 0, z: 0 }

  constructor(engine: PhysicsEngine, count: number, variety: Variety) {
    this.spec = specOf(count)
    this.goalSpace = this.spec.stateSpace
    this.scene = createPushMultiScene(count, variety.appearance === 'random')
    this.#engine = engine
    this.#variety = variety
    this.#handShape = this.scene.primitive('hand')
    this.#goalShapes = Array.from({ length: count }, (_, i) => this.scene.primitive(`goal-${i}`))
    this.#variants = this.scene.primitives.filter(({ spec }) => spec.name.startsWith('object-'))
    this.#distanceNames = ['hand_distance', ...this.#goalShapes.map((_, i) => `object_${i}_distance`)]
    this.#looks = FIXED_LOOKS.slice(0, count)
    this.#physics = this.#settle()
    this.#wear()
  }

  reset(start: string, rng: Rng): void {
    const { appearance, hues, isGroundRandom } = this.#variety
    if (appearance === 'random') {
      this.#physics.close()
      this.#looks = drawLooks(rng, this.#looks.length, hues)
      this.#physics = this.#settle()
      this.#wear()
      scaleDynamics(this.#physics.world, ...this.#scales)
    } else {
      this.#physics.scale(...this.#scales)
      this.#physics.reset()
    }
    const state = start === 'row' ? this.#row() : this.#drawApart(rng, start === 'random' ? HAND_BOX : HAND_GOAL_BOX)
    if (start === 'default' || start === 'row') state.set(HAND_START)
    this.#hand.place(state[0]!, state[1]!)
    for (const [i, body] of this.#objects.entries()) {
      body.setTranslation({ x: state[2 + 2 * i]!, y: state[3 + 2 * i]!, z: this.#restZ }, true)
    }
    if (appearance === 'hues') {
      this.#looks = drawHues(rng, this.#looks.length, hues)
      this.#wear()
    }
    this.#paint(isGroundRandom ? rng.uniform() : undefined)
  }

  scaleDynamics(massScale: number, frictionScale: number): void {
    this.#scales = [massScale, frictionScale]
  }

  step(action: Float32Array): void {
    this.#hand.move(action[0]! * ACTION_M, action[1]! * ACTION_M, HAND_BOX, SUBSTEPS)
  }

  sampleGoal(rng: Rng): Float32Array {
    return this.#drawApart(rng, HAND_GOAL_BOX)
  }

  achievedGoal(state: Float32Array): Float32Array {
    return state.slice()
  }

  goalDistances(achieved: Float32Array, desired: Float32Array): Info {
    const distances: Record<string, number> = {}
    let sum = 0
    for (const [i, name] of this.#distanceNames.entries()) {
      const x = achieved[2 * i]! - desired[2 * i]!
      const y = achieved[2 * i + 1]! - desired[2 * i + 1]!
      sum += distances[name] = Math.hypot(x, y)
    }
    distances['distance'] = sum
    return distances
  }

  isSuccess(distances: Info): boolean {
    return distances['distance']! < SUCCESS_M * this.#distanceNames.length
  }

  observe(state: Float32Array, proprio: Float32Array): void {
    const hand = this.#hand.position
    state[0] = proprio[0] = hand.x
    state[1] = proprio[1] = hand.y
    setPosition(this.#handShape, hand.x, hand.y, hand.z)
    for (let i = 0; i < this.#objects.length; i++) {
      const { x, y, z } = this.#objects[i]!.translation(this.#vector)
      state[2 + 2 * i] = x
      state[3 + 2 * i] = y
      setPosition(this.#objectShapes[i]!, x, y, z)
    }
  }

  showAt(goal: Float32Array): void {
    setPosition(this.#handShape, goal[0]!, goal[1]!, HAND.centerZ)
    for (const [i, shape] of this.#objectShapes.entries()) {
      setPosition(shape, goal[2 + 2 * i]!, goal[3 + 2 * i]!, this.#restZ)
    }
  }

  markGoal(goal: Float32Array): void {
    setPosition(this.scene.primitive('goal-hand'), goal[0]!, goal[1]!, 0.001)
    for (const [i, shape] of this.#goalShapes.entries()) setPosition(shape, goal[2 + 2 * i]!, goal[3 + 2 * i]!, 0.001)
  }

  save(): TaskState {
    const groundHue = this.#groundHue
    const saved: Saved = {
      hand: this.#hand.target,
      looks: this.#looks,
      ...(groundHue !== undefined && { groundHue }),
    }
    return { json: saved, snapshot: this.#physics.save() }
  }

  restore({ json, snapshot }: TaskState): void {
    const saved = json as Saved
    this.#physics.restore(snapshot)
    this.#hand.target = saved.hand
    this.#looks = saved.looks
    this.#wear()
    this.#paint(saved.groundHue)
  }

  close(): void {
    this.#physics.close()
  }

  /** A new world with objects of the present looks. */
  #settle(): SettledWorld {
    const { world, hand, objects } = buildWorld(this.#engine, this.#looks)
    const settled = new SettledWorld(this.#engine, world, SETTLE_SUBSTEPS, (current) => {
      this.#hand = new MocapHand(current, hand, HAND, HAND_START)
      this.#objects = objects.map((handle) => current.getRigidBody(handle))
    })
    this.#restZ = this.#objects[0]!.translation().z
    return settled
  }

  #paint(groundHue: number | undefined): void {
    this.#groundHue = groundHue
    if (this.#variety.isGroundRandom) paintTable(this.scene, groundHue)
  }

  /** Makes the primitives look like the present looks. */
  #wear(): void {
    for (const shape of this.#variants) shape.visible = false
    this.#objectShapes = this.#looks.map((look, i) => this.scene.primitive(primitiveName(i, look)))
    for (const [i, shape] of this.#objectShapes.entries()) {
      shape.visible = true
      shape.color.set(this.#looks[i]!.color)
      this.#goalShapes[i]!.color.set(this.#looks[i]!.color.map((channel) => (channel + 255) / 2))
    }
  }

  /** Objects side by side across the middle, behind two numbers for the hand. */
  #row(): Float32Array {
    const count = this.#looks.length
    return Float32Array.from({ length: 2 + 2 * count }, (_, k) => (k < 2 || k % 2 === 1 ? 0 : rowX((k - 2) / 2, count)))
  }

  /** Hand and objects, each uniform in its box (half extents), drawn again until none touches another: [hand xy, object xys]. */
  #drawApart(rng: Rng, handBox: readonly [number, number]): Float32Array {
    const radii = [HAND.radiusM, ...this.#looks.map(footprintM)]
    const places = new Float32Array(radii.length * 2)
    const isFree = (i: number): boolean => {
      for (let k = i + 1; k < radii.length; k++) {
        const apart = Math.hypot(places[2 * i]! - places[2 * k]!, places[2 * i + 1]! - places[2 * k + 1]!)
        if (apart < radii[i]! + radii[k]! + GAP_M) return false
      }
      return true
    }
    for (;;) {
      // The hand last: it has the most room.
      let i = radii.length - 1
      for (; i >= 0; i--) {
        const [x, y] = i === 0 ? handBox : OBJECT_BOX
        places[2 * i] = rng.uniform(-x, x)
        places[2 * i + 1] = rng.uniform(-y, y)
        if (!isFree(i)) break
      }
      if (i < 0) return places
    }
  }
}

function rowX(i: number, count: number): number {
  return (i - (count - 1) / 2) * ROW_SPACING_M
}

function specOf(count: number): TaskSpec {
  const slots = Array.from({ length: count }, (_, i) => i)
  const names = ['hand_x_m', 'hand_y_m', ...slots.flatMap((i) => [`object_${i}_x_m`, `object_${i}_y_m`])]
  const limits = [...HAND_BOX, ...slots.flatMap(() => ARENA)].map((limit) => limit + SLACK_M)
  return {
    id: PUSH_MULTI_ID,
    actionNames: ['hand_dx_2cm', 'hand_dy_2cm'],
    proprioSpace: symmetricSpace(limits.slice(0, 2), names.slice(0, 2)),
    stateSpace: symmetricSpace(limits, names),
    controlHz: CONTROL_HZ,
    maxEpisodeSteps: STEPS_PER_OBJECT * count,
    starts: ['default', 'goal', 'random', 'row'],
  }
}

function buildWorld(
  engine: PhysicsEngine,
  looks: readonly ObjectLook[],
): { world: World; hand: MocapHandHandles; objects: number[] } {
  const { rapier } = engine
  const world = createWorld(engine)
  const table = rapier.ColliderDesc.cuboid(0.5, 0.5, 0.05).setTranslation(0, 0, -0.05)
  world.createCollider(table.setFriction(1).setCollisionGroups(COLLISION.table))
  addBars(engine, world, RIM_BARS, 0.2, COLLISION.table)
  const objects = looks.map(({ shape, halfWidthM }, i) => {
    const body = world.createRigidBody(
      rapier.RigidBodyDesc.dynamic()
        .setTranslation((i - 2) * 0.09, 0, OBJECT.heightM / 2)
        .lockRotations()
        // As on felt: friction alone would let objects slide on for a centimetre from full speed.
        .setLinearDamping(100)
        .setCanSleep(false),
    )
    const collider =
      shape === 'box'
        ? rapier.ColliderDesc.cuboid(halfWidthM, halfWidthM, OBJECT.heightM / 2)
        : rapier.ColliderDesc.cylinder(OBJECT.heightM / 2, halfWidthM).setRotation(Z_UP)
    world.createCollider(collider.setMass(OBJECT.massKg).setFriction(1).setCollisionGroups(COLLISION.object), body)
    return body.handle
  })
  return { world, hand: addMocapHand(engine, world, HAND, HAND_START[0], HAND_START[1]), objects }
}
