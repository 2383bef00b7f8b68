import { ArmatureError } from '../../src/core/errors.ts'
import type { CameraMatrices } from '../../src/core/env.ts'
import type { Primitive } from './scene.ts'

/** Where a camera stands and what it looks at, in the world frame or, with `mount`, in that of a primitive. */
export interface CameraSpec {
  readonly name: string
  readonly eyeM: readonly [number, number, number]
  readonly targetM: readonly [number, number, number]
  /** Direction that appears upwards in the image; default +z. */
  readonly up?: readonly [number, number, number]
  readonly fovYDeg: number
  /** Also shows primitives that are hidden from observation cameras, e.g. goal markers. */
  readonly showsHidden?: boolean
  /** Name of the primitive that carries the camera, e.g. a wrist: eye, target and up are in its local frame. */
  readonly mount?: string
}

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** A pinhole camera: an optical frame (x right, y down, z forward) with square pixels. */
export interface CameraPose {
  /** World to optical, row-major [3, 3]. */
  readonly rotation: Float64Array
  /** Position in the world, metres. */
  readonly position: Float64Array
}

/** The pose of a camera that looks from `eyeM` at `targetM`, in the frame that they are in. */
export function lookAt(spec: CameraSpec): CameraPose {
  const [ex, ey, ez] = spec.eyeM
  const forward = normalise([spec.targetM[0] - ex, spec.targetM[1] - ey, spec.targetM[2] - ez])
  const right = normalise(cross(forward, spec.up ?? [0, 0, 1]))
  if (!Number.isFinite(right[0])) {
    throw new ArmatureError('bad-argument', `camera ${spec.name}`, {
      expected: 'an up direction across its line of sight',
    })
  }
  const down = cross(forward, right)
  return { rotation: Float64Array.from([...right, ...down, ...forward]), position: Float64Array.from(spec.eyeM) }
}

/** Writes to `world` where a camera is that stands at `local` in the frame of `carrier`. */
export function carry(world: CameraPose, local: CameraPose, carrier: Primitive): void {
  const turn = carrier.rotation
  for (let row = 0; row < 3; row++) {
    let at = carrier.position[row]!
    for (let k = 0; k < 3; k++) at += turn[row * 3 + k]! * local.position[k]!
    world.position[row] = at
    for (let column = 0; column < 3; column++) {
      let sum = 0
      for (let k = 0; k < 3; k++) sum += local.rotation[row * 3 + k]! * turn[column * 3 + k]!
      world.rotation[row * 3 + column] = sum
    }
  }
}

/** Focal length in pixels of an image `height` pixels high. */
export function focalLengthPx(fovYDeg: number, height: number): number {
  return height / 2 / Math.tan((fovYDeg * Math.PI) / 360)
}

/** Intrinsics and extrinsics, as {@link CameraMatrices} says, of a camera at `pose`. */
export function cameraMatrices({ rotation, position }: CameraPose, fovYDeg: number, size: ImageSize): CameraMatrices {
  const focal = focalLengthPx(fovYDeg, size.height)
  const intrinsics = Float64Array.of(focal, 0, size.width / 2, 0, focal, size.height / 2, 0, 0, 1)
  const extrinsics = new Float64Array(12)
  for (let row = 0; row < 3; row++) {
    for (let k = 0; k < 3; k++) {
      extrinsics[row * 4 + k] = rotation[row * 3 + k]!
      extrinsics[row * 4 + 3]! -= rotation[row * 3 + k]! * position[k]!
    }
  }
  return { intrinsics, extrinsics }
}

type Vector = readonly [number, number, number]

function cross([ax, ay, az]: Vector, [bx, by, bz]: Vector): Vector {
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
}

function normalise([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z)
  return [x / length, y / length, z / length]
}
