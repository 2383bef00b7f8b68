import type { Rotation, Vector } from '@dimforge/rapier3d-simd-compat'
import type { Primitive, Scene } from '../camera/scene.ts'
import { setPosition, setRotation } from '../camera/scene.ts'
import { partName } from './grasp-bin-layout.ts'
import type { ObjectInstance } from './procedural-objects.ts'

/** The primitives of a pool of objects, in a scene that has one for every part of each. */
export class ObjectLook {
  readonly #parts: Map<number, readonly Primitive[]>

  constructor(scene: Scene, pool: readonly ObjectInstance[]) {
    const partsOf = (instance: ObjectInstance): Primitive[] =>
      instance.parts.map((_, part) => scene.primitive(partName(instance, part)))
    this.#parts = new Map(pool.map((instance) => [instance.index, partsOf(instance)]))
  }

  hideAll(): void {
    for (const parts of this.#parts.values()) for (const part of parts) part.visible = false
  }

  /** Shows an instance of the pool at a pose of its body. */
  show(instance: ObjectInstance, at: Vector, turn: Rotation): void {
    const primitives = this.#parts.get(instance.index)!
    for (const [i, { offsetM, quatXyzw }] of instance.parts.entries()) {
      const primitive = primitives[i]!
      primitive.visible = true
      setRotation(primitive, turn.x, turn.y, turn.z, turn.w)
      const [r, [ox, oy, oz]] = [primitive.rotation, offsetM]
      setPosition(
        primitive,
        at.x + r[0]! * ox + r[1]! * oy + r[2]! * oz,
        at.y + r[3]! * ox + r[4]! * oy + r[5]! * oz,
        at.z + r[6]! * ox + r[7]! * oy + r[8]! * oz,
      )
      const [px, py, pz, pw] = quatXyzw
      setRotation(
        primitive,
        turn.w * px + turn.x * pw + turn.y * pz - turn.z * py,
        turn.w * py - turn.x * pz + turn.y * pw + turn.z * px,
        turn.w * pz + turn.x * py - turn.y * px + turn.z * pw,
        turn.w * pw - turn.x * px - turn.y * py - turn.z * pz,
      )
    }
  }
}
