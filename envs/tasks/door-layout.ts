import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'
import type { HandSpace, MocapHandSpec } from '../world/mocap-hand.ts'

/** The vertical axis that the door turns about; x right, y away from the hand's start, z up, metres. */
export const HINGE: readonly [number, number] = [-0.11, 0.13]
/** Radians; the door opens towards the hand's start. Limits of the goals, and where the hinge stops. */
export const MOST_OPEN_RAD: number = 0.83
export const STOP_RAD: number = 0.95

/** A box of the door: half extents, and its centre along the closed door from the hinge, out of it towards the hand, and up. */
export interface DoorPart {
  readonly name: string
  readonly half: readonly [number, number, number]
  readonly alongM: number
  readonly outM: number
  readonly z: number
  readonly massKg: number
}

/** The upright bar that the hand hooks behind: it stands off the panel on an arm near its lower end, and is open above. */
export const HANDLE: { readonly alongM: number; readonly outM: number; readonly halfWidthM: number } = {
  alongM: 0.19,
  outM: 0.075,
  halfWidthM: 0.009,
}
export const PANEL_HALF_THICKNESS_M: number = 0.01
export const HANDLE_TOP_Z: number = 0.13

export const DOOR_PARTS: readonly DoorPart[] = [
  { name: 'panel', half: [0.11, PANEL_HALF_THICKNESS_M, 0.1], alongM: 0.115, outM: 0, z: 0.105, massKg: 0.3 },
  {
    name: 'handle',
    half: [HANDLE.halfWidthM, HANDLE.halfWidthM, 0.045],
    alongM: HANDLE.alongM,
    outM: HANDLE.outM,
    z: HANDLE_TOP_Z - 0.045,
    massKg: 0.05,
  },
  {
    name: 'handle-arm',
    half: [HANDLE.halfWidthM, HANDLE.outM / 2, 0.009],
    alongM: HANDLE.alongM,
    outM: HANDLE.outM / 2,
    z: 0.05,
    massKg: 0.05,
  },
]

/** x and y of the point that is `alongM` from the hinge along the door and `outM` out of it, when it is open by `angle`. */
export function pointOnDoor(angle: number, alongM: number, outM: number): [number, number] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return [HINGE[0] + alongM * cos - outM * sin, HINGE[1] - alongM * sin - outM * cos]
}

/** Where the hand's centre is when it is behind the bar, in the middle of the gap: along and out of the door, and up. */
export const HOOKED: { readonly alongM: number; readonly outM: number; readonly z: number } = {
  alongM: HANDLE.alongM,
  outM: (PANEL_HALF_THICKNESS_M + HANDLE.outM - HANDLE.halfWidthM) / 2,
  z: 0.105,
}

/** Torque of the hinge's dry friction, and its damping below that. Enough for the door to stop within a degree of where the hand leaves it. */
export const HINGE_FRICTION: { readonly torqueNm: number; readonly dampingNmsPerRad: number } = {
  torqueNm: 1,
  dampingNmsPerRad: 5,
}

const DOOR_GROUP = 0x0002
const HAND_GROUP = 0x0004
/** Rapier packs membership and filter into one number. Hand and door only touch each other. */
export const COLLISION: { readonly door: number; readonly hand: number } = {
  door: (DOOR_GROUP << 16) | HAND_GROUP,
  hand: (HAND_GROUP << 16) | DOOR_GROUP,
}

export const HAND: MocapHandSpec = {
  radiusM: 0.015,
  heightM: 0.07,
  massKg: 0.5,
  friction: 0.5,
  centerZ: 0.14,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 30 },
  maxLeadM: 0.03,
  collisionGroups: COLLISION.hand,
}
export const HAND_START: readonly [number, number] = [0, -0.12]
/** Where the hand's centre can be: above the table, and as far as the closed door. */
export const HAND_SPACE: HandSpace = { low: [-0.2, -0.2, 0.045], high: [0.2, 0.11, 0.22] }
/** Goals and starts of the hand: in front of all places that the door and its handle can get to. */
export const HAND_GOALS: HandSpace = { low: [-0.15, -0.19, 0.05], high: [0.15, -0.1, 0.2] }

export const CAMERAS: Readonly<Record<'front' | 'side' | 'top' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0.1, -0.62, 0.52], targetM: [0, 0, 0.06], fovYDeg: 36 },
  side: { name: 'side', eyeM: [0.72, -0.12, 0.42], targetM: [0, 0, 0.07], fovYDeg: 36 },
  top: { name: 'top', eyeM: [0, -0.02, 0.9], targetM: [0, -0.02, 0], up: [0, 1, 0], fovYDeg: 30 },
  human: { name: 'human', eyeM: [0.5, -0.65, 0.5], targetM: [0, 0, 0.07], fovYDeg: 36, showsHidden: true },
}

const PANEL_COLOR = [225, 90, 50] as const
const HANDLE_COLOR = [250, 215, 60] as const

/** The scene as cameras see it: `hand` and the parts of the door move; `goal-hand` and `goal-handle` mark the goal for people only. */
export function createDoorScene(): Scene {
  return new Scene({
    background: [24, 26, 30],
    lightDirection: [-0.2, -0.35, 1],
    ambient: 0.5,
    shadow: { onto: 'table', z: 0, strength: 0.45 },
    primitives: [
      {
        name: 'table',
        shape: { kind: 'plane', halfExtentsM: [0.3, 0.26] },
        color: [78, 84, 92],
        checker: { color: [94, 100, 108], squareM: 0.1 },
        isStatic: true,
      },
      framePost('frame-left', HINGE[0] - 0.02),
      framePost('frame-right', HINGE[0] + 0.25),
      {
        name: 'frame-top',
        shape: { kind: 'box', halfExtentsM: [0.155, 0.015, 0.012] },
        positionM: [HINGE[0] + 0.115, HINGE[1], 0.222],
        color: [150, 156, 164],
        isStatic: true,
        castsShadow: true,
      },
      goalMarker('goal-handle', 0.014),
      goalMarker('goal-hand', 0.014),
      ...DOOR_PARTS.map(({ name, half }): PrimitiveSpec => ({
        name,
        shape: { kind: 'box', halfExtentsM: half },
        color: name === 'panel' ? PANEL_COLOR : HANDLE_COLOR,
        castsShadow: true,
      })),
      {
        name: 'hand',
        shape: { kind: 'cylinder', radiusM: HAND.radiusM, heightM: HAND.heightM },
        color: [120, 230, 255],
        castsShadow: true,
      },
    ],
  })
}

function framePost(name: string, x: number): PrimitiveSpec {
  return {
    name,
    shape: { kind: 'box', halfExtentsM: [0.014, 0.014, 0.105] },
    positionM: [x, HINGE[1], 0.105],
    color: [150, 156, 164],
    isStatic: true,
    castsShadow: true,
  }
}

function goalMarker(name: string, radiusM: number): PrimitiveSpec {
  return {
    name,
    shape: { kind: 'sphere', radiusM },
    color: name === 'goal-hand' ? [160, 220, 255] : [255, 240, 170],
    visibleToCameras: false,
  }
}
