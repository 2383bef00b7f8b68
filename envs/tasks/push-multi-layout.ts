import type { Rng } from '../../src/core/rng.ts'
import type { CameraSpec } from '../camera/camera.ts'
import type { PrimitiveSpec, Rgb } from '../camera/scene.ts'
import { Scene } from '../camera/scene.ts'
import type { ShapeSpec } from '../camera/meshes.ts'
import type { MocapHandSpec } from '../world/mocap-hand.ts'
import type { Bar } from '../world/rim.ts'
import { barPrimitives, rimBars } from '../world/rim.ts'
import type { HueRange } from './hues.ts'
import { colorOfHue as colorBetween, GROUND_RANGE, HUES } from './hues.ts'

/** Most objects that the table has room for. */
export const MOST_OBJECTS = 5

/** How one object looks and what it is, for one episode. */
export interface ObjectLook {
  readonly shape: 'cylinder' | 'box'
  /** Radius of a cylinder, half the side of a box. */
  readonly halfWidthM: number
  /** 0..255 per channel. */
  readonly color: Rgb
}

export const OBJECT: { readonly heightM: number; readonly massKg: number } = { heightM: 0.035, massKg: 0.15 }

const CYLINDER_RADII_M = [0.026, 0.031, 0.036]
const BOX_HALVES_M = [0.022, 0.026, 0.03]
/** The largest {@link footprintM}: no two objects touch whose centres are twice this apart. */
export const LARGEST_FOOTPRINT_M: number = 0.03 * Math.SQRT2

/** Half extents of the table inside the rim, and of where goals and starts put the centres of objects and hand. */
export const ARENA: readonly [number, number] = [0.2, 0.16]
export const OBJECT_BOX: readonly [number, number] = [0.15, 0.11]
export const HAND_GOAL_BOX: readonly [number, number] = [0.15, 0.11]
/** Around every object in the arena, over the rim. */
export const HAND_BOX: readonly [number, number] = [0.235, 0.195]
export const HAND_START: readonly [number, number] = [0, -0.19]

const TABLE_GROUP = 0x0001
const OBJECT_GROUP = 0x0002
const HAND_GROUP = 0x0004
/** Rapier packs membership and filter into one number. Only objects touch the table and its rim. */
export const COLLISION: { readonly table: number; readonly object: number; readonly hand: number } = {
  table: (TABLE_GROUP << 16) | OBJECT_GROUP,
  object: (OBJECT_GROUP << 16) | TABLE_GROUP | OBJECT_GROUP | HAND_GROUP,
  hand: (HAND_GROUP << 16) | OBJECT_GROUP,
}

const RIM_HEIGHT_M = 0.012
/** Of the other squares of a coloured table. */
const SQUARE_BRIGHTNESS = 1.2
const HAND_HEIGHT_M = 0.06

export const HAND: MocapHandSpec = {
  radiusM: 0.03,
  heightM: HAND_HEIGHT_M,
  massKg: 0.5,
  // Sticks to the faces of boxes, so that they can be pushed in any direction.
  friction: 1,
  centerZ: RIM_HEIGHT_M + 0.002 + HAND_HEIGHT_M / 2,
  motor: { stiffnessNPerM: 5000, dampingNsPerM: 200, maxForceN: 40 },
  maxLeadM: 0.03,
  collisionGroups: COLLISION.hand,
}

export const RIM_BARS: readonly Bar[] = rimBars(ARENA[0], ARENA[1], 0.005, RIM_HEIGHT_M)

export const CAMERAS: Readonly<Record<'front' | 'side' | 'top' | 'human', CameraSpec>> = {
  front: { name: 'front', eyeM: [0, -0.32, 0.74], targetM: [0, -0.01, 0], up: [0, 1, 0], fovYDeg: 34 },
  side: { name: 'side', eyeM: [0.74, -0.1, 0.5], targetM: [0, 0, 0], fovYDeg: 30 },
  top: { name: 'top', eyeM: [0, 0, 0.9], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 30 },
  human: { name: 'human', eyeM: [0.3, -0.75, 0.6], targetM: [0, -0.01, 0], fovYDeg: 35, showsHidden: true },
}

/** Looks that never change, one per object. */
export const FIXED_LOOKS: readonly ObjectLook[] = [
  { shape: 'cylinder', halfWidthM: 0.036, color: [245, 60, 40] },
  { shape: 'box', halfWidthM: 0.03, color: [60, 200, 70] },
  { shape: 'cylinder', halfWidthM: 0.031, color: [255, 210, 40] },
  { shape: 'box', halfWidthM: 0.026, color: [200, 80, 240] },
  { shape: 'cylinder', halfWidthM: 0.026, color: [70, 120, 255] },
]

/** Shape and size of each of `count` objects by chance, and hues that differ by at least half of their even spacing. */
export function drawLooks(rng: Rng, count: number, hues: HueRange = HUES.all): ObjectLook[] {
  const first = rng.uniform()
  return Array.from({ length: count }, (_, i): ObjectLook => {
    const shape = rng.int(2) === 0 ? 'cylinder' : 'box'
    const halfWidthM = sizesOf(shape)[rng.int(3)]!
    return { shape, halfWidthM, color: colorOfHue(hueWithin(hues, first + (i + rng.uniform(0, 0.5)) / count)) }
  })
}

/** The looks of `FIXED_LOOKS`, each in a hue by chance. */
export function drawHues(rng: Rng, count: number, hues: HueRange): ObjectLook[] {
  const first = rng.uniform()
  return FIXED_LOOKS.slice(0, count).map((look, i) => {
    return { ...look, color: colorOfHue(hueWithin(hues, first + (i + rng.uniform(0, 0.5)) / count)) }
  })
}

/** `turns` around the whole circle, brought around the part of it that `hues` is. */
function hueWithin([low, high]: HueRange, turns: number): number {
  return high - low === 1 ? low + turns : low + (high - low) * (turns - Math.floor(turns))
}

/** Radius of the smallest circle about the centre that holds the object, seen from above. */
export function footprintM({ shape, halfWidthM }: ObjectLook): number {
  return shape === 'box' ? halfWidthM * Math.SQRT2 : halfWidthM
}

/** Name of the primitive that draws object `index` when it looks like `look`. */
export function primitiveName(index: number, { shape, halfWidthM }: Pick<ObjectLook, 'shape' | 'halfWidthM'>): string {
  return `object-${index}-${shape}-${Math.round(halfWidthM * 1000)}`
}

/**
 * The scene as cameras see it: `hand` and one primitive per object and way that it can look, of which one is visible at a time;
 * `goal-hand` and `goal-0`, `goal-1` ... mark the goal for people only.
 */
export function createPushMultiScene(count: number, isRandom: boolean): Scene {
  return new Scene({
    background: [24, 26, 30],
    lightDirection: [-0.25, -0.3, 1],
    ambient: 0.5,
    shadow: { onto: 'table', z: 0, strength: 0.35 },
    primitives: [
      {
        name: 'table',
        shape: { kind: 'plane', halfExtentsM: [0.4, 0.4] },
        color: [50, 54, 60],
        checker: { color: [62, 66, 72], squareM: 0.1 },
        isStatic: true,
      },
      ...barPrimitives(RIM_BARS, 'rim', [104, 108, 114]),
      goalMarker('goal-hand', HAND.radiusM),
      ...Array.from({ length: count }, (_, i) => goalMarker(`goal-${i}`, 0.03)),
      ...Array.from({ length: count }, (_, i) => variants(i, isRandom)).flat(),
      {
        name: 'hand',
        shape: { kind: 'cylinder', radiusM: HAND.radiusM, heightM: HAND.heightM },
        color: [240, 244, 248],
        castsShadow: true,
      },
    ],
  })
}

/** Makes the table as coloured as `hue` says, in turns, or grey; its squares are a little brighter. */
export function paintTable(scene: Scene, hue: number | undefined): void {
  const table = scene.primitive('table')
  const { color, checker } = table.spec
  const painted = hue === undefined ? color : colorBetween(hue, GROUND_RANGE)
  table.color.set(painted)
  const [red, green, blue] = painted.map((channel) => channel * SQUARE_BRIGHTNESS) as [number, number, number]
  const second: Rgb = hue === undefined ? checker!.color : [red, green, blue]
  table.texture = { kind: 'checker', color: second, scaleM: checker!.squareM }
}

function variants(index: number, isRandom: boolean): PrimitiveSpec[] {
  const fixed = FIXED_LOOKS[index]!
  const looks = isRandom
    ? (['cylinder', 'box'] as const).flatMap((shape) => sizesOf(shape).map((halfWidthM) => ({ shape, halfWidthM })))
    : [fixed]
  return looks.map((look) => ({
    name: primitiveName(index, look),
    shape: shapeOf(look),
    color: fixed.color,
    castsShadow: true,
  }))
}

function shapeOf({ shape, halfWidthM }: Pick<ObjectLook, 'shape' | 'halfWidthM'>): ShapeSpec {
  const { heightM } = OBJECT
  return shape === 'box'
    ? { kind: 'box', halfExtentsM: [halfWidthM, halfWidthM, heightM / 2] }
    : { kind: 'cylinder', radiusM: halfWidthM, heightM }
}

function sizesOf(shape: ObjectLook['shape']): readonly number[] {
  return shape === 'box' ? BOX_HALVES_M : CYLINDER_RADII_M
}

function goalMarker(name: string, radiusM: number): PrimitiveSpec {
  return {
    name,
    shape: { kind: 'cylinder', radiusM, heightM: 0.001 },
    color: [200, 200, 200],
    visibleToCameras: false,
  }
}

/** A saturated colour of `hue` (turns), which the white hand and the grey table never have. */
function colorOfHue(hue: number): Rgb {
  const channel = (offset: number): number => {
    const turns = (((hue + offset) % 1) + 1) % 1
    return Math.round(40 + 215 * Math.min(1, Math.max(0, Math.abs(turns * 6 - 3) - 1)))
  }
  return [channel(0), channel(2 / 3), channel(1 / 3)]
}
