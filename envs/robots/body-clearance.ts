import type { ShapeSpec } from '../camera/meshes.ts'
import { hullPoints } from './hull-points.ts'
import type { Kinematics } from './kinematics.ts'
import { multiplyRotations, rotationOfQuat } from './rotations.ts'
import { rigidGroups } from './rigid-groups.ts'
import { extentOf } from './shape-extent.ts'

/** The top of a table, at height 0. */
export interface TableTop {
  readonly low: readonly [number, number]
  readonly high: readonly [number, number]
}

interface Part {
  readonly link: number
  readonly shape: ShapeSpec
  readonly position: readonly [number, number, number]
  readonly rotation: Float64Array
}

/** How far the bodies of a robot stay above a table: of all shapes that collide but those of its foot, which stands still. */
export class BodyClearance {
  readonly #kinematics: Kinematics
  readonly #table: TableTop
  readonly #parts: readonly Part[]
  readonly #rotation: Float64Array = new Float64Array(9)
  readonly #center: Float64Array = new Float64Array(3)

  constructor(kinematics: Kinematics, table: TableTop) {
    const { model } = kinematics
    const { groupOf } = rigidGroups(model)
    this.#kinematics = kinematics
    this.#table = table
    this.#parts = model.links.flatMap(({ collisions }, link) =>
      groupOf[link] === 0
        ? []
        : collisions.map(({ shape, pose }) => ({
            link,
            shape:
              shape.kind === 'mesh' ? { ...shape, vertices: Float64Array.from(hullPoints(shape.vertices)) } : shape,
            position: pose.positionM,
            rotation: rotationOfQuat(pose.quatXyzw, new Float64Array(9)),
          })),
    )
  }

  /** The height of the lowest point over the table at the last `forward` of the kinematics, metres; infinite for no bodies. */
  lowestM(): number {
    let lowest = Infinity
    for (const part of this.#parts) {
      const bottom = this.#bottomOf(part)
      if (bottom < lowest && this.#isOverTable(part.shape)) lowest = bottom
    }
    return lowest
  }

  /** Writes the pose of a part in the world; returns the height of its lowest point. */
  #bottomOf({ link, shape, position, rotation }: Part): number {
    const { positions, rotations } = this.#kinematics
    multiplyRotations(rotations, 9 * link, rotation, 0, this.#rotation, 0)
    for (let i = 0; i < 3; i++) {
      const r = 9 * link + 3 * i
      this.#center[i] =
        positions[3 * link + i]! +
        rotations[r]! * position[0] +
        rotations[r + 1]! * position[1] +
        rotations[r + 2]! * position[2]
    }
    return this.#center[2]! - this.#extent(shape, 2, -1)
  }

  #isOverTable(shape: ShapeSpec): boolean {
    const { low, high } = this.#table
    for (let i = 0; i < 2; i++) {
      if (this.#center[i]! + this.#extent(shape, i, 1) < low[i]!) return false
      if (this.#center[i]! - this.#extent(shape, i, -1) > high[i]!) return false
    }
    return true
  }

  /** How far a shape in the present pose reaches along an axis of the world. */
  #extent(shape: ShapeSpec, axis: number, sign: 1 | -1): number {
    const r = this.#rotation
    const at = 3 * axis
    return extentOf(shape, [sign * r[at]!, sign * r[at + 1]!, sign * r[at + 2]!])
  }
}
