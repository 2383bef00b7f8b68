import type { GeometryModel, PoseSpec } from './robot-model.ts'

type Vector = readonly [number, number, number]

/** A capsule whose round ends lie around two points of its frame. */
export function rodBetween(from: Vector, to: Vector, radiusM: number): GeometryModel {
  const { center, lengthM, quat } = between(from, to)
  return { shape: { kind: 'capsule', radiusM, heightM: lengthM }, pose: { positionM: center, quatXyzw: quat } }
}

/** Middle, distance, and the shortest turn from z to the direction, of two points. */
export function between(from: Vector, to: Vector): { center: Vector; lengthM: number; quat: PoseSpec['quatXyzw'] } {
  const [x, y, z] = [to[0] - from[0], to[1] - from[1], to[2] - from[2]]
  const lengthM = Math.hypot(x, y, z)
  const w = lengthM + z
  const norm = Math.hypot(x, y, w)
  return {
    center: [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2, (from[2] + to[2]) / 2],
    lengthM,
    quat: w < 1e-9 * lengthM ? [1, 0, 0, 0] : [-y / norm, x / norm, 0, w / norm],
  }
}
