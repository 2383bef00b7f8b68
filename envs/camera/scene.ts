import { ArmatureError } from '../../src/core/errors.ts'
import type { ShapeSpec } from './meshes.ts'

/** 0..255 per channel. */
export type Rgb = readonly [number, number, number]

/** How one primitive looks at first. Pose, visibility and colour can change from frame to frame, the rest cannot. */
export interface PrimitiveSpec {
  readonly name: string
  readonly shape: ShapeSpec
  readonly color: Rgb
  /** A second colour in squares of `squareM` over the local xy plane of flat faces. */
  readonly checker?: { readonly color: Rgb; readonly squareM: number }
  /** Never moves: drawn first, and cached while the camera stands still. */
  readonly isStatic?: boolean
  readonly castsShadow?: boolean
  /** Shown to observation cameras (default). Goal markers are not, and only appear in views that ask for them. */
  readonly visibleToCameras?: boolean
  readonly positionM?: readonly [number, number, number]
  readonly quatXyzw?: readonly [number, number, number, number]
}

export interface SceneSpec {
  readonly background: Rgb
  /** Direction towards the light, world frame; need not be of unit length. */
  readonly lightDirection: readonly [number, number, number]
  /** Share of the colour that is seen without direct light; the light adds the rest. */
  readonly ambient: number
  /** Shadows fall on primitive `onto`, whose surface lies at height `z`, and darken it by `strength` (0..1). */
  readonly shadow?: { readonly onto: string; readonly z: number; readonly strength: number }
  readonly primitives: readonly PrimitiveSpec[]
}

/** A primitive as the rasteriser reads it. */
export interface Primitive {
  readonly spec: PrimitiveSpec
  /** Its value in the ids image: 1 for the first primitive of the scene; 0 is the background. */
  readonly id: number
  /** World position, metres. */
  readonly position: Float64Array
  /** Rotation object to world, row-major [3, 3]. */
  readonly rotation: Float64Array
  /** RGB, 0..255; as in `spec` until something changes it. */
  readonly color: Float64Array
  visible: boolean
}

/** Primitives with poses, one light and one ground for shadows. */
export class Scene {
  readonly spec: SceneSpec
  readonly primitives: readonly Primitive[]
  /** Unit vector towards the light. */
  readonly light: readonly [number, number, number]
  readonly #byName: Map<string, Primitive>

  constructor(spec: SceneSpec) {
    this.spec = spec
    const [x, y, z] = spec.lightDirection
    const length = Math.hypot(x, y, z)
    this.light = [x / length, y / length, z / length]
    this.primitives = spec.primitives.map((primitive, index) => createPrimitive(primitive, index + 1))
    this.#byName = new Map(this.primitives.map((primitive) => [primitive.spec.name, primitive]))
    if (this.#byName.size < this.primitives.length) {
      throw new ArmatureError('bad-argument', 'scene', { expected: 'primitive names that differ' })
    }
  }

  /** @throws ArmatureError `not-found`. */
  primitive(name: string): Primitive {
    const primitive = this.#byName.get(name)
    if (primitive === undefined) throw new ArmatureError('not-found', `primitive "${name}" in the scene`)
    return primitive
  }
}

/** Moves `primitive` without turning it. */
export function setPosition(primitive: Primitive, x: number, y: number, z: number): void {
  primitive.position[0] = x
  primitive.position[1] = y
  primitive.position[2] = z
}

/** Turns `primitive` to a unit quaternion (xyzw). */
export function setRotation(primitive: Primitive, x: number, y: number, z: number, w: number): void {
  const r = primitive.rotation
  r[0] = 1 - 2 * (y * y + z * z)
  r[1] = 2 * (x * y - z * w)
  r[2] = 2 * (x * z + y * w)
  r[3] = 2 * (x * y + z * w)
  r[4] = 1 - 2 * (x * x + z * z)
  r[5] = 2 * (y * z - x * w)
  r[6] = 2 * (x * z - y * w)
  r[7] = 2 * (y * z + x * w)
  r[8] = 1 - 2 * (x * x + y * y)
}

function createPrimitive(spec: PrimitiveSpec, id: number): Primitive {
  const primitive: Primitive = {
    spec,
    id,
    position: Float64Array.from(spec.positionM ?? [0, 0, 0]),
    rotation: new Float64Array(9),
    color: Float64Array.from(spec.color),
    visible: true,
  }
  setRotation(primitive, ...(spec.quatXyzw ?? ([0, 0, 0, 1] as const)))
  return primitive
}
