import { describe, expect, it } from 'vitest'
import { choleskyFactor, dot, orthogonalize, solveCholesky, symmetricEigen } from '../../src/core/linalg.ts'
import { Rng } from '../../src/core/rng.ts'

/** X' X of a random [rows, n] X: positive semi-definite, of rank min(rows, n). */
function gramMatrix(rows: number, n: number, seed: number): Float64Array {
  const x = new Rng(seed).fillNormal(new Float32Array(rows * n))
  const column = (i: number): Float64Array => Float64Array.from({ length: rows }, (_, row) => x[row * n + i]!)
  return Float64Array.from({ length: n * n }, (_, at) => dot(column(Math.floor(at / n)), column(at % n)))
}

function multiply(a: Float64Array, b: Float64Array, n: number, k: number): number[] {
  return Array.from({ length: n * k }, (_, at) => {
    const [row, column] = [Math.floor(at / k), at % k]
    return dot(
      a.slice(row * n, (row + 1) * n),
      Float64Array.from({ length: n }, (_, m) => b[m * k + column]!),
    )
  })
}

const near = (values: ArrayLike<number>): unknown[] => Array.from(values, (x) => expect.closeTo(x, 9))

describe('Cholesky', () => {
  it('factors a matrix of a textbook', () => {
    const a = Float64Array.of(4, 0, 0, 12, 37, 0, -16, -43, 98)
    choleskyFactor(a, 3)
    expect([...a]).toEqual([2, 0, 0, 6, 1, 0, -8, 5, 3])
  })

  it('reads the lower triangle and leaves the upper one as it is', () => {
    const a = Float64Array.of(4, 99, 2, 10)
    choleskyFactor(a, 2)
    expect([...a]).toEqual([2, 99, 1, 3])
  })

  it('turns directions without variance into zeros', () => {
    const a = Float64Array.of(1, 0, 0, 2, 4, 0, 0, 0, 9)
    choleskyFactor(a, 3)
    expect([...a]).toEqual([1, 0, 0, 2, 0, 0, 0, 0, 3])
  })

  it.each([1, 2, 6, 20])('solves for several right sides at once, %d unknowns', (n) => {
    const a = gramMatrix(2 * n, n, n)
    const x = Float64Array.from(new Rng(7).fillNormal(new Float32Array(3 * n)))
    const b = Float64Array.from(multiply(a, x, n, 3))
    solveCholesky(a.slice(), n, b, 3)
    expect([...b]).toEqual(near(x))
  })
})

describe('Gram-Schmidt', () => {
  it('leaves what is orthogonal to the basis, and returns the coordinates in it', () => {
    const basis = [Float64Array.of(1, 0, 0), Float64Array.of(0, 0.6, 0.8)]
    const vector = Float64Array.of(3, 1, 2)
    expect(orthogonalize(vector, basis)).toEqual(near([3, 2.2]))
    expect([...vector]).toEqual(near([0, 1 - 0.6 * 2.2, 2 - 0.8 * 2.2]))
    for (const direction of basis) expect(dot(vector, direction)).toBeCloseTo(0, 12)
  })
})

describe('eigenvalues of a covariance', () => {
  it('of two by two are those of the closed form', () => {
    const { values } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2)
    expect(Array.from(values.toSorted())).toEqual(near([1, 3]))
  })

  it.each([
    [30, 8],
    [4, 8],
  ])('and their vectors give the matrix back, from %d rows of %d', (rows, n) => {
    const a = gramMatrix(rows, n, rows)
    const { values, vectors } = symmetricEigen(a.slice(), n)
    const column = (k: number): Float64Array => Float64Array.from({ length: n }, (_, i) => vectors[i * n + k]!)
    const columns = Array.from({ length: n }, (_, k) => column(k))
    expect(columns.map((u, k) => columns.map((v, j) => dot(u, v) - (j === k ? 1 : 0))).flat()).toEqual(
      near(Array(n * n).fill(0) as number[]),
    )
    const rebuilt = Array.from({ length: n * n }, (_, at) =>
      columns.reduce((sum, u, k) => sum + values[k]! * u[Math.floor(at / n)]! * u[at % n]!, 0),
    )
    expect(rebuilt).toEqual(near(a))
    expect([...values].filter((value) => value > 1e-9)).toHaveLength(Math.min(rows, n))
  })
})
