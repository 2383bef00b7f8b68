/** Distance of the points (x, y) that stand in `a` and `b` from element `at` on. */
export function distance2(a: ArrayLike<number>, b: ArrayLike<number>, at = 0): number {
  return Math.hypot(a[at]! - b[at]!, a[at + 1]! - b[at + 1]!)
}

/** Distance of the points (x, y, z) that `a` and `b` begin with. */
export function distance3(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!, a[2]! - b[2]!)
}
