/** Rows of numbers, row-major: embeddings [count, size], or simulator states beside them. */
export interface Rows {
  readonly data: Float32Array | Float64Array
  readonly count: number
  readonly size: number
}

/** Mean and standard deviation of each column, [size]. */
export interface Moments {
  readonly mean: Float64Array
  readonly std: Float64Array
}

/** Moments of the columns, over the rows numbered `only` where that is given. */
export function momentsOf({ data, count, size }: Rows, only?: readonly number[]): Moments {
  const mean = new Float64Array(size)
  const std = new Float64Array(size)
  const rows = only ?? Array.from({ length: count }, (_, row) => row)
  for (const row of rows) for (let i = 0; i < size; i++) mean[i]! += data[row * size + i]! / rows.length
  for (const row of rows) {
    for (let i = 0; i < size; i++) std[i]! += (data[row * size + i]! - mean[i]!) ** 2 / rows.length
  }
  for (let i = 0; i < size; i++) std[i] = Math.sqrt(std[i]!)
  return { mean, std }
}

/** Sums over all rows of the products of two columns' deviations from their `mean`, over `divisor`; symmetric, [size, size]. */
export function scatterMatrix({ data, count, size }: Rows, mean: ArrayLike<number>, divisor = 1): Float64Array {
  const scatter = new Float64Array(size * size)
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < size; i++) {
      const deviation = (data[row * size + i]! - mean[i]!) / divisor
      for (let j = 0; j <= i; j++) scatter[i * size + j]! += deviation * (data[row * size + j]! - mean[j]!)
    }
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) scatter[j * size + i] = scatter[i * size + j]!
  return scatter
}

/**
 * Effective rank: exp of the entropy of the singular values, the square roots of `variances` along the principal axes, normalised to
 * sum 1 (Roy and Vetterli 2007). 1 = a line, as many as there are axes = isotropic, 0 = a point.
 */
export function effectiveRank(variances: Float64Array): number {
  const singular = variances.map((value) => Math.sqrt(Math.max(0, value)))
  const total = singular.reduce((sum, value) => sum + value, 0)
  if (total === 0) return 0
  let entropy = 0
  for (const value of singular) if (value > 0) entropy -= (value / total) * Math.log(value / total)
  return Math.exp(entropy)
}

/** Coefficient of determination R2; NaN where `squaredDeviations` of the target from its mean is 0, as of a constant. */
export function rSquared(squaredErrors: number, squaredDeviations: number): number {
  return squaredDeviations > 0 ? 1 - squaredErrors / squaredDeviations : NaN
}

/**
 * Sum of the rows' unit vectors, [groups, size], a sum for each group. Its square is the sum of the cosines of all pairs of rows.
 *
 * @param group of each row, from 0
 * @returns also whether some row is 0: it has no direction, and adds nothing
 */
export function sumsOfDirections(
  { data, count, size }: Rows,
  group: ArrayLike<number>,
  groups: number,
): { readonly sums: Float64Array; readonly hasZero: boolean } {
  const sums = new Float64Array(groups * size)
  let hasZero = false
  for (let row = 0; row < count; row++) {
    let square = 0
    for (let i = 0; i < size; i++) square += data[row * size + i]! ** 2
    if (square === 0) hasZero = true
    else for (let i = 0; i < size; i++) sums[group[row]! * size + i]! += data[row * size + i]! / Math.sqrt(square)
  }
  return { sums, hasZero }
}
