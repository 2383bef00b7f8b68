import type { CameraSpec } from '../camera/camera.ts'
import { gripperPrimitives } from '../camera/gripper-look.ts'
import { Scene } from '../camera/scene.ts'
import type { GripperCommand, GripperSpec } from '../world/gripper.ts'
import { GRIPPER } from '../world/gripper.ts'

/** Metres, in a frame on the table's top with its origin in the middle (x right, y away from the camera, z up). */
export const CUBE: { readonly halfM: number; readonly massKg: number } = { halfM: 0.02, massKg: 0.1 }

const TABLE_GROUP = 0x0001
const CUBE_GROUP = 0x0002
const FINGER_GROUP = 0x0004
/** Rapier packs membership and filter into one number. Fingers touch the cube only: the command keeps them above the table. */
export const COLLISION: { readonly table: number; readonly cube: number; readonly finger: number } = {
  table: (TABLE_GROUP << 16) | CUBE_GROUP,
  cube: (CUBE_GROUP << 16) | TABLE_GROUP | FINGER_GROUP,
  finger: (FINGER_GROUP << 16) | CUBE_GROUP,
}

export const JAW: GripperSpec = { ...GRIPPER, collisionGroups: COLLISION.finger }
export const JAW_START: Readonly<GripperCommand> = [0, 0, 0.14, 0, JAW.maxOpeningM]

/** Where the middle between the fingers can be commanded: half extents in x and y, lowest and highest z. */
export const JAW_BOX: { readonly x: number; readonly y: number; readonly low: number; readonly high: number } = {
  x: 0.15,
  y: 0.15,
  low: 0.022,
  high: 0.22,
}

/** Walls beyond the rim, which nobody sees, keep the cube's centre within this distance of the middle along x and along y. */
export const CUBE_REACH_M = 0.16
/** Half extents of where the cube starts and of goals, and the highest goal. */
export const CUBE_BOX: readonly [number, number] = [0.11, 0.11]
export const GOAL_LOW_M = 0.05
export const GOAL_HIGH_M = 0.18

/** The observation camera, others from the left, from above and on the gripper, and a view for people, with the goal shown. */
export const CAMERAS: Readonly<Record<'front' | 'side' | 'top' | 'wrist' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, -0.56, 0.5], targetM: [0, 0, 0.085], fovYDeg: 33 },
  side: { name: 'side', eyeM: [-0.66, -0.16, 0.3], targetM: [0, 0, 0.09], fovYDeg: 33 },
  top: { name: 'top', eyeM: [0, 0, 0.8], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 30 },
  wrist: { name: 'wrist', eyeM: [0, -0.1, 0.06], targetM: [0, 0, -0.06], fovYDeg: 60, mount: 'gripper-palm' },
  human: { name: 'human', eyeM: [0.35, -0.6, 0.45], targetM: [0, 0, 0.07], fovYDeg: 35, showsHidden: true },
}

const RIM_HALF_M = 0.004
const RIM_AT_M = CUBE_REACH_M + CUBE.halfM + RIM_HALF_M

/** The scene as cameras see it: `cube` and the gripper move, `goal` marks the goal for people only. */
export function createPickPlaceScene(): Scene {
  return new Scene({
    background: [24, 26, 30],
    lightDirection: [-0.3, -0.35, 1],
    ambient: 0.45,
    shadow: { onto: 'table', z: 0, strength: 0.4 },
    primitives: [
      {
        name: 'table',
        shape: { kind: 'plane', halfExtentsM: [0.22, 0.22] },
        color: [52, 78, 74],
        checker: { color: [64, 94, 89], squareM: 0.055 },
        isStatic: true,
      },
      ...[-1, 1].flatMap((side) => [
        {
          name: `rim-x${side}`,
          shape: { kind: 'box', halfExtentsM: [RIM_HALF_M, RIM_AT_M + RIM_HALF_M, RIM_HALF_M] },
          positionM: [side * RIM_AT_M, 0, RIM_HALF_M],
          color: [110, 130, 126],
          isStatic: true,
        } as const,
        {
          name: `rim-y${side}`,
          shape: { kind: 'box', halfExtentsM: [RIM_AT_M - RIM_HALF_M, RIM_HALF_M, RIM_HALF_M] },
          positionM: [0, side * RIM_AT_M, RIM_HALF_M],
          color: [110, 130, 126],
          isStatic: true,
        } as const,
      ]),
      {
        name: 'goal',
        shape: { kind: 'sphere', radiusM: 0.012 },
        color: [90, 255, 120],
        visibleToCameras: false,
      },
      {
        name: 'cube',
        shape: { kind: 'box', halfExtentsM: [CUBE.halfM, CUBE.halfM, CUBE.halfM] },
        color: [245, 70, 40],
        castsShadow: true,
      },
      ...gripperPrimitives(JAW.fingerHalfExtentsM),
    ],
  })
}
