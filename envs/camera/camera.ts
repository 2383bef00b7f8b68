import { ArmatureError } from '../../src/core/errors.ts'

/** Where a camera stands and what it looks at, in the world frame. */
export interface CameraSpec {
  readonly name: string
  readonly eyeM: readonly [number, number, number]
  readonly targetM: readonly [number, number, number]
  /** Direction that appears upwards in the image; default +z. */
  readonly up?: readonly [number, number, number]
  readonly fovYDeg: number
  /** Also shows primitives that are hidden from observation cameras, e.g. goal markers. */
  readonly showsHidden?: boolean
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

/** The pose of a camera that looks from `eyeM` at `targetM`. */
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

/** Focal length in pixels of an image `height` pixels high. */
export function focalLengthPx(fovYDeg: number, height: number): number {
  return height / 2 / Math.tan((fovYDeg * Math.PI) / 360)
}

type Vector = readonly [number, number, number]

function cross([ax, ay, az]: Vector, [bx, by, bz]: Vector): Vector {
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
}

function normalise([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z)
  return [x / length, y / length, z / length]
}
