/**
 * Linear algebra on small dense matrices, row-major in typed arrays. Robots, encoders and measures all need it and share no other
 * folder; inverse kinematics solves every control step, so nothing here allocates but results.
 */

/** Sweeps over all pairs of axes that {@link symmetricEigen} takes at most; a handful is enough. */
const MAX_SWEEPS = 50

/**
 * Cholesky factor: the lower triangle of a symmetric positive semi-definite matrix `a` [n, n] is replaced by L with L L' = a.
 * A direction without variance becomes a row of zeros. The upper triangle is neither read nor written.
 */
export function choleskyFactor(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!
      const pivot = a[j * n + j]!
      if (i === j) a[i * n + i] = Math.sqrt(Math.max(sum, 0))
      else a[i * n + j] = pivot > 0 ? sum / pivot : 0
    }
  }
}

/** Solves a X = B in place for a symmetric positive definite `a` [n, n] (lower triangle, overwritten): B [n, k] becomes X. */
export function solveCholesky(a: Float64Array, n: number, b: Float64Array, k = 1): void {
  choleskyFactor(a, n)
  for (let column = 0; column < k; column++) {
    for (let i = 0; i < n; i++) {
      let sum = b[i * k + column]!
      for (let m = 0; m < i; m++) sum -= a[i * n + m]! * b[m * k + column]!
      b[i * k + column] = sum / a[i * n + i]!
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = b[i * k + column]!
      for (let m = i + 1; m < n; m++) sum -= a[m * n + i]! * b[m * k + column]!
      b[i * k + column] = sum / a[i * n + i]!
    }
  }
}

/**
 * One step of modified Gram-Schmidt: takes from `vector` its parts along the orthonormal `basis`, in place.
 * @returns those parts, the coordinates of `vector` in the basis
 */
export function orthogonalize(vector: Float64Array, basis: readonly Float64Array[]): number[] {
  return basis.map((direction) => {
    const along = dot(direction, vector)
    for (let i = 0; i < vector.length; i++) vector[i]! -= along * direction[i]!
    return along
  })
}

/** Inner product of two vectors of the same length. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Eigenvalues of a symmetric matrix, unsorted, and its eigenvectors as the columns of [n, n] in the same order. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Float64Array
}

/** Eigenvalues and eigenvectors of a covariance matrix [n, n] (overwritten) by cyclic Jacobi rotations (Golub and Van Loan, 8.5). */
export function symmetricEigen(a: Float64Array, n: number): Eigen {
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let rotated = false
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        // The matrix is a covariance: what is this small beside its diagonal pair no longer changes either of them.
        const scale = Math.sqrt(Math.abs(a[p * n + p]! * a[q * n + q]!))
        if (Math.abs(a[p * n + q]!) <= 1e-15 * scale || a[p * n + q] === 0) continue
        rotate(a, vectors, n, p, q)
        rotated = true
      }
    }
    if (!rotated) break
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), vectors }
}

/** Rotates rows and columns p, q so that a[p, q] becomes 0, and the columns of `vectors` with them. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * a[p * n + q]!)
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
  const c = 1 / Math.hypot(t, 1)
  const s = t * c
  rotateColumns(a, n, p, q, c, s)
  rotateColumns(vectors, n, p, q, c, s)
  for (let i = 0; i < n; i++) {
    const pi = a[p * n + i]!
    const qi = a[q * n + i]!
    a[p * n + i] = c * pi - s * qi
    a[q * n + i] = s * pi + c * qi
  }
}

function rotateColumns(a: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  for (let i = 0; i < n; i++) {
    const ip = a[i * n + p]!
    const iq = a[i * n + q]!
    a[i * n + p] = c * ip - s * iq
    a[i * n + q] = s * ip + c * iq
  }
}
