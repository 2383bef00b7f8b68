import { solveCholesky } from '../../core/linalg.ts'
import type { Rng } from '../../core/rng.ts'
import type { Rows } from '../rows.ts'
import { momentsOf } from '../rows.ts'

/** Penalties that the inner validation fold chooses from, relative to the variance of standardised inputs. */
const RIDGES = [1e-5, 1e-3, 1e-1, 10]
const FOLDS = 5
/** An input whose variance is below this part of its second moment carries rounding noise. */
const NOISE = 1e-13

/** Sums over the rows of one fold, enough to fit any ridge regression and to know its error. */
interface FoldSums {
  n: number
  readonly x: Float64Array
  readonly y: Float64Array
  /** [d, d] */
  readonly xx: Float64Array
  /** [d, k] */
  readonly xy: Float64Array
  readonly yy: Float64Array
}

/** Weights [d, k] and intercept [k] in the units of the (shifted) inputs. */
interface Fit {
  readonly weights: Float64Array
  readonly intercept: Float64Array
}

/**
 * Fold of each item, 0 to 4, dealt so that every label is spread over all folds. With fewer than five items, as many folds as
 * items.
 *
 * @param labels one an item, e.g. the class of each episode
 */
export function dealFolds(labels: readonly string[], rng: Rng): Int32Array {
  const folds = new Int32Array(labels.length)
  const count = Math.min(FOLDS, labels.length)
  let next = 0
  for (const label of [...new Set(labels)].toSorted()) {
    const members = labels.flatMap((other, item) => (other === label ? [item] : []))
    for (const item of rng.split(label).shuffle(members)) folds[item] = next++ % count
  }
  return folds
}

/**
 * Predictions for every row by a ridge regression that saw nothing of the row's fold: fitted on the others, its penalty chosen on
 * one of them by a fit on the rest. Inputs are standardised with the rows fitted on.
 *
 * @param inputs [count, d]
 * @param targets [count, k]
 * @param folds fold of each row, at least three folds, none of them empty
 * @returns [count, k]
 */
export function crossFit(inputs: Rows, targets: Rows, folds: Int32Array): Float64Array {
  const count = folds.reduce((most, fold) => Math.max(most, fold), 0) + 1
  const shift = momentsOf(inputs).mean
  const targetShift = momentsOf(targets).mean
  const sums = Array.from({ length: count }, () => emptySums(inputs.size, targets.size))
  for (let row = 0; row < inputs.count; row++) addRow(sums[folds[row]!]!, inputs, targets, row, shift, targetShift)
  const others = (...without: number[]): FoldSums => addSums(sums.filter((_, fold) => !without.includes(fold)))
  const fits = sums.map((_, fold) => {
    const validation = (fold + 1) % count
    const inner = others(fold, validation)
    const errors = RIDGES.map((ridge) => squaredError(solve(inner, ridge), sums[validation]!))
    return solve(others(fold), RIDGES[errors.indexOf(Math.min(...errors))]!)
  })
  const k = targets.size
  const predictions = new Float64Array(inputs.count * k)
  for (let row = 0; row < inputs.count; row++) {
    const { weights, intercept } = fits[folds[row]!]!
    for (let j = 0; j < k; j++) predictions[row * k + j] = intercept[j]! + targetShift[j]!
    for (let i = 0; i < inputs.size; i++) {
      const x = inputs.data[row * inputs.size + i]! - shift[i]!
      for (let j = 0; j < k; j++) predictions[row * k + j]! += x * weights[i * k + j]!
    }
  }
  return predictions
}

/**
 * The inputs with 256 random ReLU features of them beside: a two-layer network whose first layer stays as it was drawn, which a
 * ridge regression on it trains in closed form (Rahimi and Recht 2008).
 */
export function randomFeatures(inputs: Rows, rng: Rng, features = 256): Rows {
  const { data, count, size } = inputs
  const { mean, std } = momentsOf(inputs)
  const weights = rng.fillNormal(new Float32Array(size * features))
  const biases = rng.fillNormal(new Float32Array(features))
  const width = size + features
  const out = new Float64Array(count * width)
  const scale = 1 / Math.sqrt(size)
  for (let row = 0; row < count; row++) {
    const hidden = out.subarray(row * width + size, (row + 1) * width)
    hidden.set(biases)
    for (let i = 0; i < size; i++) {
      const x = (data[row * size + i]! - mean[i]!) / (std[i]! || 1)
      out[row * width + i] = x
      for (let j = 0; j < features; j++) hidden[j]! += x * scale * weights[i * features + j]!
    }
    for (let j = 0; j < features; j++) if (hidden[j]! < 0) hidden[j] = 0
  }
  return { data: out, count, size: width }
}

function emptySums(d: number, k: number): FoldSums {
  return {
    n: 0,
    x: new Float64Array(d),
    y: new Float64Array(k),
    xx: new Float64Array(d * d),
    xy: new Float64Array(d * k),
    yy: new Float64Array(k),
  }
}

function addRow(
  m: FoldSums,
  inputs: Rows,
  targets: Rows,
  row: number,
  shift: Float64Array,
  shiftY: Float64Array,
): void {
  const d = inputs.size
  const k = targets.size
  m.n++
  const x = Float64Array.from({ length: d }, (_, i) => inputs.data[row * d + i]! - shift[i]!)
  const y = Float64Array.from({ length: k }, (_, j) => targets.data[row * k + j]! - shiftY[j]!)
  for (let i = 0; i < d; i++) {
    const xi = x[i]!
    m.x[i]! += xi
    // ReLU features are often 0.
    if (xi === 0) continue
    for (let j = 0; j <= i; j++) m.xx[i * d + j]! += xi * x[j]!
    for (let j = 0; j < k; j++) m.xy[i * k + j]! += xi * y[j]!
  }
  for (let j = 0; j < k; j++) {
    m.y[j]! += y[j]!
    m.yy[j]! += y[j]! ** 2
  }
}

function addSums(parts: readonly FoldSums[]): FoldSums {
  const first = parts[0]!
  const sum = emptySums(first.x.length, first.y.length)
  for (const part of parts) {
    sum.n += part.n
    for (const key of ['x', 'y', 'xx', 'xy', 'yy'] as const) {
      for (let i = 0; i < sum[key].length; i++) sum[key][i]! += part[key][i]!
    }
  }
  return sum
}

/** min |X W - Y|^2 / n + ridge |W|^2 for standardised inputs; the lower triangle of `xx` is all that is read. */
function solve({ n, x, y, xx, xy }: FoldSums, ridge: number): Fit {
  const d = x.length
  const k = y.length
  const scale = Float64Array.from({ length: d }, (_, i) => {
    const variance = xx[i * d + i]! / n - (x[i]! / n) ** 2
    return variance > NOISE * (xx[i * d + i]! / n) ? 1 / Math.sqrt(variance) : 0
  })
  const gram = new Float64Array(d * d)
  const cross = new Float64Array(d * k)
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      gram[i * d + j] = (xx[i * d + j]! / n - (x[i]! * x[j]!) / (n * n)) * scale[i]! * scale[j]!
    }
    gram[i * d + i]! += ridge
    for (let j = 0; j < k; j++) cross[i * k + j] = (xy[i * k + j]! / n - (x[i]! * y[j]!) / (n * n)) * scale[i]!
  }
  solveCholesky(gram, d, cross, k)
  const weights = cross
  const intercept = Float64Array.from(y, (sum) => sum / n)
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < k; j++) {
      weights[i * k + j]! *= scale[i]!
      intercept[j]! -= (weights[i * k + j]! * x[i]!) / n
    }
  }
  return { weights, intercept }
}

/** Squared error of the fit on those rows, summed over targets, each relative to the target's own second moment there. */
function squaredError({ weights, intercept }: Fit, { n, x, y, xx, xy, yy }: FoldSums): number {
  const d = x.length
  const k = y.length
  let total = 0
  for (let j = 0; j < k; j++) {
    const a = intercept[j]!
    let error = yy[j]! + n * a * a - 2 * a * y[j]!
    for (let i = 0; i < d; i++) {
      const w = weights[i * k + j]!
      error += 2 * w * (a * x[i]! - xy[i * k + j]!) + w * w * xx[i * d + i]!
      for (let m = 0; m < i; m++) error += 2 * w * weights[m * k + j]! * xx[i * d + m]!
    }
    if (yy[j]! > 0) total += error / yy[j]!
  }
  return total
}
