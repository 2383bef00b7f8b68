import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'
import type { MocapHandSpec } from '../world/mocap-hand.ts'
import type { Bar } from '../world/rim.ts'
import { barPrimitives, rimBars } from '../world/rim.ts'

/**
 * Sizes of the push scene, metres, in a frame on the table's top with its origin in the middle of the arena (x right, y away from
 * the start of the hand, z up), after the Sawyer push task of Skew-Fit: its goal box of the hand (20 x 10 cm), and a goal box of the puck
 * (24 x 18 cm) from whose every place the hand can push it back.
 */
export const PUCK: { readonly radiusM: number; readonly heightM: number; readonly massKg: number } = {
  radiusM: 0.05,
  heightM: 0.03,
  massKg: 0.2,
}

/** Half extents of where centres can be: the puck's are set by the rim, the hand's reach all around it. */
export const PUCK_BOX: readonly [number, number] = [0.13, 0.1]
export const HAND_BOX: readonly [number, number] = [0.226, 0.196]
export const PUCK_GOAL_BOX: readonly [number, number] = [0.12, 0.09]
export const HAND_GOAL_BOX: readonly [number, number] = [0.1, 0.05]
export const HAND_START: readonly [number, number] = [0, -0.14]

const TABLE_GROUP = 0x0001
const PUCK_GROUP = 0x0002
const HAND_GROUP = 0x0004
/** Rapier packs membership and filter into one number. Table and rim touch the puck only: the hand reaches over the rim. */
export const COLLISION: { readonly table: number; readonly puck: number; readonly hand: number } = {
  table: (TABLE_GROUP << 16) | PUCK_GROUP,
  puck: (PUCK_GROUP << 16) | TABLE_GROUP | HAND_GROUP,
  hand: (HAND_GROUP << 16) | PUCK_GROUP,
}

const HAND_HEIGHT_M = 0.05
const RIM_HEIGHT_M = 0.01

export const HAND: MocapHandSpec = {
  radiusM: 0.04,
  heightM: HAND_HEIGHT_M,
  massKg: 0.5,
  friction: 0.5,
  centerZ: RIM_HEIGHT_M + 0.002 + HAND_HEIGHT_M / 2,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 30 },
  maxLeadM: 0.03,
  collisionGroups: COLLISION.hand,
}

export const RIM_BARS: readonly Bar[] = rimBars(
  PUCK_BOX[0] + PUCK.radiusM,
  PUCK_BOX[1] + PUCK.radiusM,
  0.005,
  RIM_HEIGHT_M,
)

/**
 * The observation camera, steeply down, so that the hand hardly hides the puck; a second one from the right, for what is to be known from
 * either; and a view for people, with the goal shown.
 */
export const CAMERAS: { readonly front: CameraSpec; readonly side: CameraSpec; readonly human: CameraSpec } = {
  front: { name: 'front', eyeM: [0, -0.2, 0.82], targetM: [0, 0.0, 0.01], up: [0, 1, 0], fovYDeg: 35 },
  side: { name: 'side', eyeM: [0.4, -0.3, 0.7], targetM: [0, 0.0, 0.01], up: [0, 0, 1], fovYDeg: 38 },
  human: { name: 'human', eyeM: [0.25, -0.75, 0.6], targetM: [0, -0.01, 0], fovYDeg: 35, showsHidden: true },
}

/** The scene as cameras see it: `hand` and `puck` move, `goal-hand` and `goal-puck` mark the goal for people only. */
export function createPushPuckScene(): Scene {
  return new Scene({
    background: [24, 26, 30],
    lightDirection: [-0.25, 0.35, 1],
    ambient: 0.45,
    shadow: { onto: 'table', z: 0, strength: 0.35 },
    primitives: [
      {
        name: 'table',
        shape: { kind: 'plane', halfExtentsM: [0.4, 0.4] },
        color: [58, 62, 68],
        checker: { color: [72, 76, 82], squareM: 0.1 },
        isStatic: true,
      },
      ...barPrimitives(RIM_BARS, 'rim', [104, 108, 114]),
      goalMarker('goal-puck', PUCK.radiusM, [255, 170, 160]),
      goalMarker('goal-hand', HAND.radiusM, [160, 220, 255]),
      {
        name: 'puck',
        shape: { kind: 'cylinder', radiusM: PUCK.radiusM, heightM: PUCK.heightM },
        color: [245, 60, 40],
        castsShadow: true,
      },
      {
        name: 'hand',
        shape: { kind: 'cylinder', radiusM: HAND.radiusM, heightM: HAND.heightM },
        color: [120, 230, 255],
        castsShadow: true,
      },
    ],
  })
}

function goalMarker(name: string, radiusM: number, color: [number, number, number]): PrimitiveSpec {
  return { name, shape: { kind: 'cylinder', radiusM, heightM: 0.001 }, color, visibleToCameras: false }
}
