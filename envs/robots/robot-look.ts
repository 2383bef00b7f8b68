import { ArmatureError } from '../../src/core/errors.ts'
import type { PrimitiveSpec, Rgb, Scene } from '../camera/scene.ts'
import type { Kinematics } from './kinematics.ts'
import type { RobotModel } from './robot-model.ts'
import { multiplyRotations, rotationOfQuat } from './rotations.ts'

/** Neighbouring links without colours differ by taking turns. */
const DEFAULT_COLORS: readonly Rgb[] = [
  [228, 232, 236],
  [120, 130, 142],
]

/** What cameras see of a robot: one primitive for each visual shape, named `<prefix>-<number>`. */
export function robotPrimitives(model: RobotModel, prefix = 'robot'): PrimitiveSpec[] {
  return model.links
    .flatMap(({ visuals }, link) => visuals.map((visual) => ({ visual, link })))
    .map(({ visual, link }, index) => ({
      name: `${prefix}-${index}`,
      shape: visual.shape,
      color: visual.color ?? DEFAULT_COLORS[link % DEFAULT_COLORS.length]!,
      castsShadow: true,
    }))
}

/**
 * The name of the first primitive of `link`: what a camera on the robot is mounted on. Its frame is that of the visual shape.
 * @throws ArmatureError `not-found` for a link that nothing is seen of.
 */
export function primitiveOfLink({ name, links }: RobotModel, link: string, prefix = 'robot'): string {
  const number = links.findIndex((candidate) => candidate.name === link)
  if (links[number]?.visuals[0] === undefined) {
    throw new ArmatureError('not-found', `a visible link "${link}" of ${name}`)
  }
  return `${prefix}-${links.slice(0, number).reduce((sum, { visuals }) => sum + visuals.length, 0)}`
}

/** Moves the primitives of a robot to where its kinematics has the links. */
export class RobotLook {
  readonly #kinematics: Kinematics
  readonly #parts: readonly {
    readonly link: number
    readonly offset: readonly [number, number, number]
    readonly turn: Float64Array
    readonly position: Float64Array
    readonly rotation: Float64Array
  }[]

  /** @throws ArmatureError `not-found` when `scene` lacks the primitives of {@link robotPrimitives}. */
  constructor(scene: Scene, kinematics: Kinematics, prefix = 'robot') {
    this.#kinematics = kinematics
    this.#parts = kinematics.model.links
      .flatMap(({ visuals }, link) => visuals.map(({ pose }) => ({ pose, link })))
      .map(({ pose, link }, index) => {
        const { position, rotation } = scene.primitive(`${prefix}-${index}`)
        const turn = rotationOfQuat(pose.quatXyzw, new Float64Array(9))
        return { link, offset: pose.positionM, turn, position, rotation }
      })
  }

  /** To the last `forward` of the kinematics. */
  place(): void {
    const { positions, rotations } = this.#kinematics
    for (const { link, offset, turn, position, rotation } of this.#parts) {
      for (let i = 0; i < 3; i++) {
        const r = 9 * link + 3 * i
        position[i] =
          positions[3 * link + i]! +
          rotations[r]! * offset[0] +
          rotations[r + 1]! * offset[1] +
          rotations[r + 2]! * offset[2]
      }
      multiplyRotations(rotations, 9 * link, turn, 0, rotation, 0)
    }
  }
}
