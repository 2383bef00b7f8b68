import type { Primitive, PrimitiveSpec, Scene } from './scene.ts'
import { setPosition, setRotation } from './scene.ts'

/** Half extents of a finger: along the line of closing, across it, and up. */
type FingerSize = readonly [number, number, number]

const PALM_HALF: FingerSize = [0.05, 0.014, 0.01]
const STEM_HEIGHT_M = 0.06
/** The palm is drawn this far above the tops of the fingers, so that they seem to hang from it. */
const FINGER_SHOWN_M = 0.012

/** Primitives of a gripper, for a scene: a dark palm on a stem, and two bright fingers. */
export function gripperPrimitives(finger: FingerSize): PrimitiveSpec[] {
  const [halfX, halfY, halfZ] = finger
  // Drawn longer than they collide, up to the palm.
  const drawn: FingerSize = [halfX, halfY, halfZ + FINGER_SHOWN_M / 2]
  return [
    {
      name: 'gripper-stem',
      shape: { kind: 'cylinder', radiusM: 0.014, heightM: STEM_HEIGHT_M },
      color: [120, 128, 144],
    },
    {
      name: 'gripper-palm',
      shape: { kind: 'box', halfExtentsM: PALM_HALF },
      color: [70, 130, 230],
      castsShadow: true,
    },
    ...['gripper-finger-0', 'gripper-finger-1'].map((name): PrimitiveSpec => ({
      name,
      shape: { kind: 'box', halfExtentsM: drawn },
      color: [238, 240, 244],
      castsShadow: true,
    })),
  ]
}

/** Moves the primitives of a gripper in a scene that has them. */
export class GripperLook {
  readonly #finger: FingerSize
  readonly #stem: Primitive
  readonly #palm: Primitive
  readonly #fingers: readonly Primitive[]

  constructor(scene: Scene, finger: FingerSize) {
    this.#finger = finger
    this.#stem = scene.primitive('gripper-stem')
    this.#palm = scene.primitive('gripper-palm')
    this.#fingers = ['gripper-finger-0', 'gripper-finger-1'].map((name) => scene.primitive(name))
  }

  /** (x, y, z) is the middle between the fingers; the gaps are those of their inner faces from it. */
  show(x: number, y: number, z: number, yawRad: number, gap0M: number, gap1M: number): void {
    const [c, s] = [Math.cos(yawRad), Math.sin(yawRad)]
    const [halfX, , halfZ] = this.#finger
    const palmZ = z + halfZ + FINGER_SHOWN_M + PALM_HALF[2]
    setPosition(this.#palm, x, y, palmZ)
    setPosition(this.#stem, x, y, palmZ + PALM_HALF[2] + STEM_HEIGHT_M / 2)
    for (const [i, finger] of this.#fingers.entries()) {
      const along = i === 0 ? gap0M + halfX : -gap1M - halfX
      setPosition(finger, x + along * c, y + along * s, z + FINGER_SHOWN_M / 2)
      setRotation(finger, 0, 0, Math.sin(yawRad / 2), Math.cos(yawRad / 2))
    }
    setRotation(this.#palm, 0, 0, Math.sin(yawRad / 2), Math.cos(yawRad / 2))
  }
}
