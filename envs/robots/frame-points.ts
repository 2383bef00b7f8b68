import type { Kinematics } from './kinematics.ts'
import { rotationOfQuat, turned } from './rotations.ts'
import { cornersOf } from './shape-extent.ts'

type Vector = readonly [number, number, number]

/** A point (m), or a direction, of the frame of `link` in that of the link `frame`, at the last `forward` of `kinematics`. */
export function inFrame(
  kinematics: Kinematics,
  frame: string,
  link: string,
  v: ArrayLike<number>,
  kind: 'point' | 'direction',
): Vector {
  const { positions, rotations } = kinematics
  const [from, to] = [kinematics.linkIndex(link), kinematics.linkIndex(frame)]
  const world = turned(rotations.subarray(9 * from, 9 * from + 9), v)
  if (kind === 'point') for (let i = 0; i < 3; i++) world[i]! += positions[3 * from + i]! - positions[3 * to + i]!
  const r = rotations.subarray(9 * to, 9 * to + 9)
  const column = (i: number): number => r[i]! * world[0]! + r[3 + i]! * world[1]! + r[6 + i]! * world[2]!
  return [column(0), column(1), column(2)]
}

/** The corners of each shape of some links that collides, in the frame of the link `frame`, at the last `forward`; metres. */
export function cornersInFrame(
  kinematics: Kinematics,
  frame: string,
  isOne: (link: string) => boolean,
): (readonly Vector[])[] {
  return kinematics.model.links
    .filter(({ name }) => isOne(name))
    .flatMap(({ name, collisions }) =>
      collisions.map(({ shape, pose }) => {
        const own = rotationOfQuat(pose.quatXyzw, new Float64Array(9))
        return cornersOf(shape).map((corner) => {
          const inLink = turned(own, corner).map((x, i) => x + pose.positionM[i]!)
          return inFrame(kinematics, frame, name, inLink, 'point')
        })
      }),
    )
}
