import type { CameraSpec } from '../camera/camera.ts'
import { gripperPrimitives } from '../camera/gripper-look.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'
import type { GripperCommand, GripperSpec } from '../world/gripper.ts'
import { GRIPPER, YAW_MOTOR } from '../world/gripper.ts'
import type { ObjectInstance } from './procedural-objects.ts'
import type { Bar } from '../world/rim.ts'
import { barPrimitives } from '../world/rim.ts'

const FIXED_GROUP = 0x0001
const OBJECT_GROUP = 0x0002
const FINGER_GROUP = 0x0004
/** Rapier packs membership and filter into one number. Fingers do not collide with each other. */
export const COLLISION: { readonly fixed: number; readonly object: number; readonly finger: number } = {
  fixed: (FIXED_GROUP << 16) | OBJECT_GROUP | FINGER_GROUP,
  object: (OBJECT_GROUP << 16) | FIXED_GROUP | OBJECT_GROUP | FINGER_GROUP,
  finger: (FINGER_GROUP << 16) | FIXED_GROUP | OBJECT_GROUP,
}

/** Metres, in a frame on the bin's floor with its origin in the middle (x right, y up in the image of `scene`, z up). */
export const BIN: { readonly halfM: number; readonly wallHalfM: number; readonly wallHeightM: number } = {
  halfM: 0.13,
  wallHalfM: 0.005,
  wallHeightM: 0.04,
}
/** Half extents of where grasps can be aimed, and of where objects are put. */
export const AIM_HALF_M = 0.11
export const SPREAD_HALF_M = 0.08
/** Between the origins of objects that are put into the bin. */
export const APART_M = 0.075

export const JAW: GripperSpec = { ...GRIPPER, yawMotor: YAW_MOTOR, collisionGroups: COLLISION.finger }
/** Between the fingers while they go down: wide enough for every object, and no wider, to spare its neighbours. */
export const OPENING_M = 0.066
export const LOW_Z_M = 0.022
export const HIGH_Z_M = 0.16
/** Where the gripper waits, and shows what it holds: out of sight of the camera above the bin. */
export const HOME: Readonly<GripperCommand> = [0, -0.42, 0.3, 0, OPENING_M]

/** From above into the bin; from below at what is held up, with nothing but the gripper behind it; and a view for people. */
export const CAMERAS: { readonly scene: CameraSpec; readonly outcome: CameraSpec; readonly human: CameraSpec } = {
  scene: { name: 'scene', eyeM: [0, 0, 0.8], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 20.5 },
  outcome: { name: 'outcome', eyeM: [0, -0.25, 0.15], targetM: [0, -0.42, 0.297], fovYDeg: 22 },
  human: { name: 'human', eyeM: [0.75, 0.35, 0.6], targetM: [0, -0.17, 0.12], fovYDeg: 40, showsHidden: true },
}

/** Half extents and centre of the four walls. */
export const WALLS: readonly Bar[] = [-1, 1].flatMap((side): Bar[] => {
  const [at, z] = [side * (BIN.halfM + BIN.wallHalfM), BIN.wallHeightM / 2]
  const long = BIN.halfM + 2 * BIN.wallHalfM
  return [
    { half: [BIN.wallHalfM, long, z], center: [at, 0, z] },
    { half: [BIN.halfM, BIN.wallHalfM, z], center: [0, at, z] },
  ]
})

/** Name of the primitive of one part of an instance. */
export function partName(instance: ObjectInstance, part: number): string {
  return `object-${instance.index}-${part}`
}

/** The scene as cameras see it, with a primitive for every part of every instance of `pool`. */
export function createGraspBinScene(pool: readonly ObjectInstance[]): Scene {
  return new Scene({
    background: [30, 32, 38],
    lightDirection: [-0.35, 0.55, 1],
    ambient: 0.55,
    shadow: { onto: 'floor', z: 0, strength: 0.3 },
    primitives: [
      {
        name: 'floor',
        shape: { kind: 'plane', halfExtentsM: [BIN.halfM, BIN.halfM] },
        color: [66, 68, 74],
        isStatic: true,
      },
      ...barPrimitives(WALLS, 'wall', [150, 152, 158]),
      ...gripperPrimitives(JAW.fingerHalfExtentsM),
      ...pool.flatMap((instance) =>
        instance.parts.map(({ shape }, part): PrimitiveSpec => ({
          name: partName(instance, part),
          shape,
          color: instance.color,
          castsShadow: true,
        })),
      ),
    ],
  })
}
