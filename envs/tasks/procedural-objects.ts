import type { ColliderDesc } from '@dimforge/rapier3d-simd-compat'
import { Rng } from '../../src/core/rng.ts'
import type { ShapeSpec } from '../camera/meshes.ts'
import type { Rgb } from '../camera/scene.ts'
import type { Rapier } from '../world/engine.ts'
import { Z_UP } from '../world/mocap-hand.ts'

type Triple = readonly [number, number, number]

/** A convex piece of an object, in the frame of the object. */
export interface ObjectPart {
  readonly shape: Exclude<ShapeSpec, { kind: 'plane' | 'mesh' }>
  readonly offsetM: Triple
  readonly quatXyzw: readonly [number, number, number, number]
}

/**
 * A rigid thing of one colour. Its origin lies where it can be grasped, and `bottomM` below that is what it stands on.
 */
export interface ObjectInstance {
  readonly index: number
  readonly kind: ObjectKind
  readonly parts: readonly ObjectPart[]
  readonly color: Rgb
  readonly bottomM: number
  /** Yaws, in the object's frame, of the line along which fingers should close on its origin; empty: any. */
  readonly graspYawsRad: readonly number[]
}

const TRAIN_KINDS = ['cube', 'bar', 'cylinder', 'ball', 'capsule', 'ell'] as const
const UNSEEN_KINDS = ['tee', 'cross', 'pin', 'step'] as const
export type ObjectKind = (typeof TRAIN_KINDS)[number] | (typeof UNSEEN_KINDS)[number]

/** Instances 0..47 are for training, 8 of each kind. */
export const TRAIN_COUNT = 48
/** Instances 48..63 are new: 12 of the training kinds in other sizes and hues, 4 of kinds that training never shows. */
export const NOVEL_COUNT = 16

const UPRIGHT = [0, 0, 0, 1] as const
/** Turns z to x. */
const ALONG_X = [0, Math.SQRT1_2, 0, Math.SQRT1_2] as const
const QUARTER_TURN = Math.PI / 2
/** Hues at multiples of the golden ratio never come close to each other. */
const HUE_STEP = 0.618034
/** Saturation and value, in turn: bright, pale and dark. */
const TONES = [
  [0.9, 0.95],
  [0.5, 1],
  [0.95, 0.75],
] as const
const DENSITY_KG_PER_M3 = 1000
const FRICTION = 0.8

/** The instance of one index, 0 .. TRAIN_COUNT + NOVEL_COUNT - 1: always the same. */
export function objectInstance(index: number): ObjectInstance {
  const unseen = index - (TRAIN_COUNT + NOVEL_COUNT - UNSEEN_KINDS.length)
  const kind = unseen >= 0 ? UNSEEN_KINDS[unseen]! : TRAIN_KINDS[index % TRAIN_KINDS.length]!
  const rng = new Rng(index)
  const scale = (): number => rng.uniform(0.85, 1.15)
  const [saturation, value] = TONES[Math.floor(index / TRAIN_KINDS.length) % TONES.length]!
  const color = hsv((index * HUE_STEP) % 1, saturation, value)
  return { index, kind, color, ...BUILDERS[kind](scale) }
}

/** Colliders of an instance, to be added to one body. */
export function objectColliders({ ColliderDesc: desc }: Rapier, { parts }: ObjectInstance): ColliderDesc[] {
  return parts.map(({ shape, offsetM, quatXyzw }) => {
    const [x, y, z, w] = quatXyzw
    // Rapier's round shapes stand along y, the camera's along z.
    const turn = shape.kind === 'box' ? { x, y, z, w } : product({ x, y, z, w }, Z_UP)
    return colliderOf(desc, shape)
      .setTranslation(...offsetM)
      .setRotation(turn)
      .setDensity(DENSITY_KG_PER_M3)
      .setFriction(FRICTION)
  })
}

/** Half of what keeps the fingers apart when they close on the origin of an instance along its first grasp yaw. */
export function graspHalfWidthM({ parts, graspYawsRad }: ObjectInstance): number {
  const { shape } = parts[0]!
  if (shape.kind !== 'box') return shape.radiusM
  const yaw = graspYawsRad[0] ?? 0
  const [halfX, halfY] = shape.halfExtentsM
  return Math.abs(Math.cos(yaw)) * halfX + Math.abs(Math.sin(yaw)) * halfY
}

type Build = Pick<ObjectInstance, 'parts' | 'bottomM' | 'graspYawsRad'>

const BUILDERS: Readonly<Record<ObjectKind, (scale: () => number) => Build>> = {
  cube: (scale) => {
    const half = 0.018 * scale()
    return { parts: [box([half, half, half])], bottomM: half, graspYawsRad: [0, QUARTER_TURN] }
  },
  bar: (scale) => {
    const [halfX, halfY, halfZ] = [0.031 * scale(), 0.012 * scale(), 0.015 * scale()]
    return { parts: [box([halfX, halfY, halfZ])], bottomM: halfZ, graspYawsRad: [QUARTER_TURN] }
  },
  cylinder: (scale) => {
    const [radiusM, heightM] = [0.019 * scale(), 0.036 * scale()]
    return {
      parts: [{ shape: { kind: 'cylinder', radiusM, heightM }, offsetM: [0, 0, 0], quatXyzw: UPRIGHT }],
      bottomM: heightM / 2,
      graspYawsRad: [],
    }
  },
  ball: (scale) => {
    const radiusM = 0.02 * scale()
    return {
      parts: [{ shape: { kind: 'sphere', radiusM }, offsetM: [0, 0, 0], quatXyzw: UPRIGHT }],
      bottomM: radiusM,
      graspYawsRad: [],
    }
  },
  capsule: (scale) => {
    const [radiusM, heightM] = [0.0145 * scale(), 0.034 * scale()]
    return {
      parts: [{ shape: { kind: 'capsule', radiusM, heightM }, offsetM: [0, 0, 0], quatXyzw: ALONG_X }],
      bottomM: radiusM,
      graspYawsRad: [QUARTER_TURN],
    }
  },
  /** A long arm along x, held in its middle, and a short one at its end. */
  ell: (scale) => {
    const [halfX, halfY, halfZ, reach] = [0.031 * scale(), 0.009, 0.015 * scale(), 0.012 * scale()]
    const arm = box([halfY, reach, halfZ], [halfX - halfY, halfY + reach, 0])
    return { parts: [box([halfX, halfY, halfZ]), arm], bottomM: halfZ, graspYawsRad: [QUARTER_TURN] }
  },
  /** A stem along y, held in its middle, and a bar across its end. */
  tee: () => {
    const halfZ = 0.015
    return {
      parts: [box([0.009, 0.02, halfZ]), box([0.028, 0.008, halfZ], [0, 0.028, 0])],
      bottomM: halfZ,
      graspYawsRad: [0],
    }
  },
  cross: () => {
    const halfZ = 0.015
    return {
      parts: [box([0.026, 0.009, halfZ]), box([0.009, 0.026, halfZ])],
      bottomM: halfZ,
      graspYawsRad: [0, QUARTER_TURN],
    }
  },
  /** A ball on a cylinder. */
  pin: () => ({
    parts: [
      { shape: { kind: 'cylinder', radiusM: 0.021, heightM: 0.026 }, offsetM: [0, 0, 0], quatXyzw: UPRIGHT },
      { shape: { kind: 'sphere', radiusM: 0.014 }, offsetM: [0, 0, 0.02], quatXyzw: UPRIGHT },
    ],
    bottomM: 0.013,
    graspYawsRad: [],
  }),
  /** A slab with a block on one end. */
  step: () => ({
    parts: [box([0.028, 0.016, 0.011]), box([0.011, 0.016, 0.011], [-0.017, 0, 0.022])],
    bottomM: 0.011,
    graspYawsRad: [QUARTER_TURN],
  }),
}

function box(halfExtentsM: Triple, offsetM: Triple = [0, 0, 0]): ObjectPart {
  return { shape: { kind: 'box', halfExtentsM }, offsetM, quatXyzw: UPRIGHT }
}

function colliderOf(desc: Rapier['ColliderDesc'], shape: ObjectPart['shape']): ColliderDesc {
  switch (shape.kind) {
    case 'box':
      return desc.cuboid(...shape.halfExtentsM)
    case 'cylinder':
      return desc.cylinder(shape.heightM / 2, shape.radiusM)
    case 'sphere':
      return desc.ball(shape.radiusM)
    case 'capsule':
      return desc.capsule(shape.heightM / 2, shape.radiusM)
  }
}

interface Quaternion {
  readonly x: number
  readonly y: number
  readonly z: number
  readonly w: number
}

function product(a: Quaternion, b: Quaternion): Quaternion {
  return {
    x: a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
    y: a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
    z: a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
    w: a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
  }
}

/** Hue, saturation and value in 0..1 to 0..255 per channel. */
function hsv(hue: number, saturation: number, value: number): Rgb {
  const channel = (shift: number): number => {
    const k = (shift + hue * 6) % 6
    return Math.round(255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1))))
  }
  return [channel(5), channel(3), channel(1)]
}
