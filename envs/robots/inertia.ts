import type { GeometryModel, LinkModel } from './robot-model.ts'
import { rotationOfQuat } from './rotations.ts'
import { extentOf } from './shape-extent.ts'

type Inertia = LinkModel['inertia']

/** Share of the largest moment by which two others may fall short of the third: files are rounded to few digits. */
const TOLERANCE = 0.01
/** Smallest principal moment as a share of the largest. */
const LEAST_MOMENT = 1e-9
/** Half the side of a link whose shape is not known. */
const HALF_SIDE_M = 0.03

/** Why no rigid body has that inertia: its principal moments are positive, and none exceeds the sum of the other two. */
export function whyNoBody(inertia: Inertia): string | undefined {
  const [low, middle, high] = principalMoments(inertia)
  if (!(low > LEAST_MOMENT * high)) return 'not positive'
  return low + middle < high * (1 - TOLERANCE) ? 'one exceeds the sum of the other two' : undefined
}

/** Of a solid box of that mass as large as the shapes of a link, along the axes of the link's frame. */
export function inertiaOfShapes(massKg: number, shapes: readonly GeometryModel[]): Inertia {
  const { halfM } = boxAround(shapes)
  const [xx, yy, zz] = halfM.map((h) => h * h) as [number, number, number]
  const third = massKg / 3
  return [third * (yy + zz), 0, 0, third * (xx + zz), 0, third * (xx + yy)]
}

/** Of a body as large as the shapes of a link. */
export function massOfShapes(shapes: readonly GeometryModel[]): Pick<LinkModel, 'massKg' | 'inertialPose' | 'inertia'> {
  const { halfM, middleM } = boxAround(shapes)
  const massKg = Math.max(LEAST_KG, DENSITY_KG_PER_M3 * 8 * halfM[0] * halfM[1] * halfM[2])
  const inertialPose = { positionM: middleM, quatXyzw: [0, 0, 0, 1] } as const
  return { massKg, inertialPose, inertia: inertiaOfShapes(massKg, shapes) }
}

/** Of links with motors in them, hollow as they are. */
const DENSITY_KG_PER_M3 = 500
const LEAST_KG = 0.01

type Vector = readonly [number, number, number]

function boxAround(shapes: readonly GeometryModel[]): { readonly halfM: Vector; readonly middleM: Vector } {
  if (shapes.length === 0) return { halfM: [HALF_SIDE_M, HALF_SIDE_M, HALF_SIDE_M], middleM: [0, 0, 0] }
  const [half, middle]: [number[], number[]] = [[], []]
  const rotations = shapes.map(({ pose }) => rotationOfQuat(pose.quatXyzw, new Float64Array(9)))
  for (let i = 0; i < 3; i++) {
    const sides = shapes.map(({ shape, pose }, k) => {
      const row = rotations[k]!.subarray(3 * i, 3 * i + 3)
      const [low, high] = [
        extentOf(
          shape,
          row.map((x) => -x),
        ),
        extentOf(shape, row),
      ]
      return [pose.positionM[i]! - low, pose.positionM[i]! + high] as const
    })
    const [low, high] = [Math.min(...sides.map(([x]) => x)), Math.max(...sides.map(([, x]) => x))]
    half.push(Math.max(1e-3, (high - low) / 2))
    middle.push((low + high) / 2)
  }
  return { halfM: half as unknown as Vector, middleM: middle as unknown as Vector }
}

/** Eigenvalues of a symmetric 3x3 matrix, ascending (O. K. Smith, 1961). */
function principalMoments([xx, xy, xz, yy, yz, zz]: Inertia): [number, number, number] {
  const mean = (xx + yy + zz) / 3
  const spread = (xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2 * (xy * xy + xz * xz + yz * yz)
  const scale = Math.sqrt(spread / 6)
  if (scale === 0) return [mean, mean, mean]
  const [a, b, c] = [(xx - mean) / scale, (yy - mean) / scale, (zz - mean) / scale]
  const [d, e, f] = [xy / scale, xz / scale, yz / scale]
  const half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
  const angle = Math.acos(Math.min(1, Math.max(-1, half))) / 3
  const high = mean + 2 * scale * Math.cos(angle)
  const low = mean + 2 * scale * Math.cos(angle + (2 * Math.PI) / 3)
  return [low, 3 * mean - high - low, high]
}
