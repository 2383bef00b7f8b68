import { beforeAll, describe, expect, it } from 'vitest'
import {
  bilinearInfoNce,
  diagonalCrossEntropy,
  nPairs,
  semiHardTriplet,
  squaredDistances,
  unitNorm,
} from '../../src/tensor/contrastive.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'
import { array, ENGINES, evaluate, finiteDifference, wiggle, worstError } from './numerics.ts'

/** [rows, size] as nested lists. */
function rowsOf(flat: readonly number[], size: number): number[][] {
  return Array.from({ length: flat.length / size }, (_, row) => flat.slice(row * size, (row + 1) * size))
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0)
}

function nPairsReference(x: readonly number[], size: number): number {
  const half = x.length / 2
  const [anchors, positives] = [rowsOf(x.slice(0, half), size), rowsOf(x.slice(half), size)]
  let loss = 0
  anchors.forEach((anchor, i) => {
    const logits = positives.map((positive) => dot(anchor, positive))
    loss += (Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[i]!) / anchors.length
  })
  const norms = [...anchors, ...positives].reduce((sum, row) => sum + dot(row, row), 0) / anchors.length
  return loss + 0.0005 * norms
}

/** By loops, in the words of the docstring. */
function semiHardReference(
  distances: readonly number[][],
  positive: readonly number[][],
  negative: readonly number[][],
  margin: number,
): number {
  let [sum, pairs] = [0, 0]
  distances.forEach((row, a) => {
    const others = row.filter((_, n) => negative[a]![n] === 1)
    if (others.length === 0) return
    row.forEach((distance, p) => {
      if (positive[a]![p] !== 1) return
      const farther = others.filter((other) => other > distance)
      const chosen = farther.length > 0 ? Math.min(...farther) : Math.max(...others)
      sum += Math.max(0, distance - chosen + margin)
      pairs++
    })
  })
  return pairs === 0 ? 0 : sum / pairs
}

describe.each(ENGINES)('contrastive losses on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  it.each([16, 32, 128])('of %d equal embeddings: n-pairs and InfoNCE are ln B', async (size) => {
    const zeros = array(new Float32Array(size * 4), [size, 4])
    const pairs = await evaluate((a, p) => nPairs(a, p), zeros, zeros)
    expect(pairs.value[0]).toBeCloseTo(Math.log(size), 4)
    const identity = array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [4, 4])
    const same = array(new Float32Array(size * 4).fill(0.5), [size, 4])
    const nce = await evaluate(bilinearInfoNce, same, same, identity)
    expect(nce.value[0]).toBeCloseTo(Math.log(size), 4)
    for (const gradient of [...pairs.gradients, ...nce.gradients]) expect(gradient.every(Number.isFinite)).toBe(true)
  })

  it('n-pairs equals its formula, and its gradient finite differences', async () => {
    const [anchors, positives] = [wiggle([5, 3]), wiggle([5, 3], 2)]
    const { value, gradients } = await evaluate((a, p) => nPairs(a, p), anchors, positives)
    const flat = [...anchors.data, ...positives.data]
    expect(value[0]).toBeCloseTo(nPairsReference(flat, 3), 5)
    const expected = finiteDifference((x) => nPairsReference(x, 3), flat)
    expect(worstError([...gradients[0]!, ...gradients[1]!], expected)).toBeLessThan(1e-4)
  })

  it('n-pairs among those that a mask leaves is n-pairs of those alone', async () => {
    const [anchors, positives] = [wiggle([5, 3]), wiggle([5, 3], 2)]
    const counts = [1, 0, 1, 1, 0]
    const masked = await evaluate(
      (a, p) => {
        const rows = tf.tensor1d(counts)
        const columns = tf.maximum(tf.tile(tf.reshape(rows, [1, 5]), [5, 1]), tf.eye(5))
        return nPairs(a, p, { rows, columns })
      },
      anchors,
      positives,
    )
    const kept = [anchors, positives].flatMap(({ data }) =>
      rowsOf([...data], 3)
        .filter((_, i) => counts[i] === 1)
        .flat(),
    )
    expect(masked.value[0]).toBeCloseTo(nPairsReference(kept, 3), 5)
    expect(masked.gradients[0]!.slice(3, 6)).toEqual([0, 0, 0])
  })

  it('embeddings that tell all pairs apart cost little, those of other rows much', async () => {
    const eye = array([9, 0, 0, 0, 9, 0, 0, 0, 9], [3, 3])
    const rolled = array([0, 9, 0, 0, 0, 9, 9, 0, 0], [3, 3])
    const logits = await evaluate((x) => diagonalCrossEntropy(x), eye)
    expect(logits.value[0]).toBeLessThan(1e-3)
    expect((await evaluate((x) => diagonalCrossEntropy(x), rolled)).value[0]).toBeGreaterThan(8)
  })

  it('squared distances are those of the rows and never negative', async () => {
    const [a, b] = [wiggle([4, 3]), wiggle([2, 3], 1)]
    const { value } = await evaluate(squaredDistances, a, b)
    const expected = rowsOf([...a.data], 3).flatMap((x) =>
      rowsOf([...b.data], 3).map((y) => x.reduce((sum, xi, i) => sum + (xi - y[i]!) ** 2, 0)),
    )
    expect(worstError(value, expected)).toBeLessThan(1e-5)
    const far = array([1000.1, 1000.2, 1000.3, 1000.1, 1000.2, 1000.3], [2, 3])
    expect((await evaluate((x) => squaredDistances(x, x), far)).value.every((x) => x >= 0)).toBe(true)
  })

  it('unit vectors have norm one; of zeros both value and gradient are finite', async () => {
    const { value, gradients } = await evaluate(unitNorm, array([3, 4, 0, 0], [2, 2]))
    expect(worstError(value, [0.6, 0.8, 0, 0])).toBeLessThan(1e-6)
    expect(gradients[0]!.every(Number.isFinite)).toBe(true)
  })

  it('semi-hard triplets equal the loops, with and without semi-hard negatives', async () => {
    const size = 6
    const points = wiggle([size, 4])
    const positive = Array.from({ length: size }, (_, a) =>
      Array.from({ length: size }, (_, p) => (a !== p && Math.abs(a - p) <= 1 ? 1 : 0)),
    )
    const negative = Array.from({ length: size }, (_, a) =>
      Array.from({ length: size }, (_, n) => (a !== 5 && Math.abs(a - n) > 2 ? 1 : 0)),
    )
    const loss = (x: tf.Tensor): tf.Tensor => {
      const units = unitNorm(x)
      return semiHardTriplet(
        squaredDistances(units, units),
        { positive: tf.tensor2d(positive), negative: tf.tensor2d(negative) },
        0.2,
      )
    }
    const reference = (flat: number[]): number => {
      const units = rowsOf(flat, 4).map((row) => row.map((x) => x / Math.sqrt(dot(row, row))))
      const distances = units.map((x) => units.map((y) => x.reduce((sum, xi, i) => sum + (xi - y[i]!) ** 2, 0)))
      return semiHardReference(distances, positive, negative, 0.2)
    }
    const { value, gradients } = await evaluate(loss, points)
    expect(value[0]).toBeCloseTo(reference([...points.data]), 5)
    expect(worstError(gradients[0]!, finiteDifference(reference, [...points.data]))).toBeLessThan(1e-3)
  })

  it('semi-hard triplets of equal embeddings cost exactly the margin, and nothing where there is no pair', async () => {
    const ones = array(new Float32Array(12).fill(1), [3, 4])
    const loss =
      (positive: number[], negative: number[]) =>
      (x: tf.Tensor): tf.Tensor => {
        const units = unitNorm(x)
        return semiHardTriplet(
          squaredDistances(units, units),
          { positive: tf.tensor2d(positive, [3, 3]), negative: tf.tensor2d(negative, [3, 3]) },
          0.2,
        )
      }
    const pairs = [0, 1, 0, 1, 0, 0, 0, 0, 0]
    const others = [0, 0, 1, 0, 0, 1, 1, 1, 0]
    const equal = await evaluate(loss(pairs, others), ones)
    expect(equal.value[0]).toBeCloseTo(0.2, 6)
    expect(equal.gradients[0]!.every(Number.isFinite)).toBe(true)
    const none = await evaluate(loss(Array(9).fill(0), others), ones)
    expect(none.value[0]).toBe(0)
  })
})
