/** Writes the rotation (row-major [3, 3]) of a unit quaternion (xyzw) to `out` from element `at`. */
export function rotationOfQuat(quat: ArrayLike<number>, out: Float64Array, at = 0): Float64Array {
  const [qx, qy, qz, qw] = [quat[0]!, quat[1]!, quat[2]!, quat[3]!]
  out[at] = 1 - 2 * (qy * qy + qz * qz)
  out[at + 1] = 2 * (qx * qy - qz * qw)
  out[at + 2] = 2 * (qx * qz + qy * qw)
  out[at + 3] = 2 * (qx * qy + qz * qw)
  out[at + 4] = 1 - 2 * (qx * qx + qz * qz)
  out[at + 5] = 2 * (qy * qz - qx * qw)
  out[at + 6] = 2 * (qx * qz - qy * qw)
  out[at + 7] = 2 * (qy * qz + qx * qw)
  out[at + 8] = 1 - 2 * (qx * qx + qy * qy)
  return out
}

/** Unit quaternion (xyzw) of the rotation (row-major [3, 3]) in `r` from element `at`; Shepperd's method. */
export function quatOfRotation(r: ArrayLike<number>, at = 0): [number, number, number, number] {
  const [xx, yy, zz] = [r[at]!, r[at + 4]!, r[at + 8]!]
  const [zy, xz, yx] = [r[at + 7]! - r[at + 5]!, r[at + 2]! - r[at + 6]!, r[at + 3]! - r[at + 1]!]
  const [xy, xzSum, yzSum] = [r[at + 1]! + r[at + 3]!, r[at + 2]! + r[at + 6]!, r[at + 5]! + r[at + 7]!]
  const quat: [number, number, number, number] =
    xx + yy + zz > 0
      ? [zy, xz, yx, 1 + xx + yy + zz]
      : xx >= yy && xx >= zz
        ? [1 + xx - yy - zz, xy, xzSum, zy]
        : yy >= zz
          ? [xy, 1 - xx + yy - zz, yzSum, xz]
          : [xzSum, yzSum, 1 - xx - yy + zz, yx]
  const length = Math.hypot(...quat)
  return [quat[0] / length, quat[1] / length, quat[2] / length, quat[3] / length]
}

/** Writes a b, both row-major [3, 3], to `out`; each from its element. `out` must be neither of them. */
export function multiplyRotations(
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  out: Float64Array,
  outAt: number,
): void {
  for (let row = 0; row < 9; row += 3) {
    const [x, y, z] = [a[aAt + row]!, a[aAt + row + 1]!, a[aAt + row + 2]!]
    for (let column = 0; column < 3; column++) {
      out[outAt + row + column] = x * b[bAt + column]! + y * b[bAt + 3 + column]! + z * b[bAt + 6 + column]!
    }
  }
}

/** The quaternion (xyzw) of URDF's `rpy`: fixed axes x, then y, then z. */
export function quatOfRpy(roll: number, pitch: number, yaw: number): [number, number, number, number] {
  const [cr, sr] = [Math.cos(roll / 2), Math.sin(roll / 2)]
  const [cp, sp] = [Math.cos(pitch / 2), Math.sin(pitch / 2)]
  const [cy, sy] = [Math.cos(yaw / 2), Math.sin(yaw / 2)]
  return [
    sr * cp * cy - cr * sp * sy,
    cr * sp * cy + sr * cp * sy,
    cr * cp * sy - sr * sp * cy,
    cr * cp * cy + sr * sp * sy,
  ]
}

/** `v` [3] turned by `r` (row-major [3, 3]); a new array. */
export function turned(r: Float64Array, v: ArrayLike<number>): Float64Array {
  return Float64Array.from([0, 3, 6], (row) => r[row]! * v[0]! + r[row + 1]! * v[1]! + r[row + 2]! * v[2]!)
}

/** Writes the rotation about a unit vector to `out` (row-major [3, 3]), by Rodrigues' formula. */
export function turnAbout([x, y, z]: readonly [number, number, number], angle: number, out: Float64Array): void {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const t = 1 - c
  out[0] = t * x * x + c
  out[1] = t * x * y - s * z
  out[2] = t * x * z + s * y
  out[3] = t * x * y + s * z
  out[4] = t * y * y + c
  out[5] = t * y * z - s * x
  out[6] = t * x * z - s * y
  out[7] = t * y * z + s * x
  out[8] = t * z * z + c
}
