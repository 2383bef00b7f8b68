import { sizeOf } from '../../core/ndarray.ts'
import { binary } from './elementwise.ts'
import type { Graph, Shape, Value } from './graph.ts'
import { broadcastShape, inputsOf, splatOf } from './graph.ts'
import { expand, reshape, unexpanded } from './movement.ts'

export type Reduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd'

/** Reduces `x` over `axes`. */
export function reduce(g: Graph, kind: Reduction, x: Value, axes: readonly number[], keepDims = false): Value {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis))
  const inner = axes.filter((axis) => x.shape[axis] !== 1)
  if (inner.length === 0) return reshape(g, x, shape)
  const ofBroadcast = reduceBroadcast(g, kind, x, inner)
  return reshape(g, ofBroadcast ?? reduceBlocks(g, kind, x, inner), shape)
}

/** A sum over broadcast axes is a multiplication; the result keeps the reduced axes (as size 1). */
function reduceBroadcast(g: Graph, kind: Reduction, x: Value, axes: readonly number[]): Value | undefined {
  if (kind === 'ReduceProd') return undefined
  const source = unexpanded(g, x)
  if (source === x) return undefined
  const aligned = reshape(g, source, [...x.shape.slice(source.shape.length).map(() => 1), ...source.shape])
  const repeats = axes.filter((axis) => aligned.shape[axis] === 1).reduce((n, axis) => n * x.shape[axis]!, 1)
  const narrow = reduce(g, kind, aligned, axes, true)
  const scaled = kind === 'ReduceSum' ? binary(g, 'Mul', narrow, g.splat(repeats, [], x.type)) : narrow
  const shape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  return expand(g, scaled, shape)
}

/**
 * Neighbouring axes of one kind are merged first. Column sums of a matrix (bias gradients) are a product with a row of ones: ONNX
 * Runtime's own reduction takes fifteen times as long ([256, 256]: 70 us instead of 5).
 */
function reduceBlocks(g: Graph, kind: Reduction, x: Value, axes: readonly number[]): Value {
  const blocks: { size: number; reduced: boolean }[] = [{ size: 1, reduced: false }]
  for (const [axis, size] of x.shape.entries()) {
    if (size === 1) continue
    const reduced = axes.includes(axis)
    const last = blocks.at(-1)!
    if (last.reduced === reduced) last.size *= size
    else blocks.push({ size, reduced })
  }
  if (kind !== 'ReduceProd' && blocks.length > 1 && blocks[0]!.size === 1 && blocks[1]!.size > ROWS_AT_ONCE) {
    const stages = twoStages(blocks[1]!.size)
    if (stages !== undefined) return inStages(g, kind, x, blocks.slice(1), stages)
  }
  const isColumnSum = kind === 'ReduceSum' || kind === 'ReduceMean'
  if (isColumnSum && x.type === 'float32' && blocks.length === 3 && blocks[0]!.size === 1) {
    const [, rows, columns] = blocks as [Block, Block, Block]
    const weights = g.splat(kind === 'ReduceSum' ? 1 : 1 / rows.size, [1, rows.size])
    return reshape(g, gemm(g, weights, reshape(g, x, [rows.size, columns.size]), false, false), [columns.size])
  }
  const merged = reshape(
    g,
    x,
    blocks.map(({ size }) => size),
  )
  const mergedAxes = [...blocks.keys()].filter((axis) => blocks[axis]!.reduced)
  const shape = blocks.filter(({ reduced }) => !reduced).map(({ size }) => size)
  return g.op(kind, [merged, g.int64s(mergedAxes)], { type: x.type, shape }, { keepdims: 0 })
}

/** Above this many leading rows ONNX Runtime's reduction slows down tenfold; in two stages it does not. */
const ROWS_AT_ONCE = 1024

/** The divisor of `rows` nearest to its root from above, if there is one that helps. */
function twoStages(rows: number): number | undefined {
  for (let stage = Math.ceil(Math.sqrt(rows)); stage <= ROWS_AT_ONCE; stage++) if (rows % stage === 0) return stage
  return undefined
}

interface Block {
  readonly size: number
  readonly reduced: boolean
}

/** Reduces leading rows in runs of `stage` rows, then the results of the runs. Exact for sums, means and extrema alike. */
function inStages(g: Graph, kind: Reduction, x: Value, blocks: readonly Block[], stage: number): Value {
  const [first, ...rest] = blocks as [Block, ...Block[]]
  const sizes = rest.map(({ size }) => size)
  const runs = reduce(g, kind, reshape(g, x, [first.size / stage, stage, ...sizes]), [1])
  const axes = [0, ...rest.flatMap(({ reduced }, i) => (reduced ? [i + 1] : []))]
  return reduce(g, kind, runs, axes)
}

/** Matrix product over the last two axes, with leading axes broadcast. */
export function matMul(g: Graph, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const [rows, columns] = [a.shape.at(transposeA ? -1 : -2)!, b.shape.at(transposeB ? -2 : -1)!]
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const shape = [...batch, rows, columns]
  const [x, y] = [unbatched(g, a), unbatched(g, b)]
  if (x.shape.length === 2 && y.shape.length === 2) {
    return expand(g, reshapeUp(g, gemm(g, x, y, transposeA, transposeB), batch), shape)
  }
  if (y.shape.length === 2 && !transposeA) {
    const flat = reshape(g, x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!])
    const product = gemm(g, flat, y, false, transposeB)
    return expand(g, reshape(g, product, [...x.shape.slice(0, -1), columns]), shape)
  }
  const narrow = [...broadcastShape(x.shape.slice(0, -2), y.shape.slice(0, -2)), rows, columns]
  const spec = { type: a.type, shape: narrow }
  if (!transposeA && !transposeB) return expand(g, g.op('MatMul', [x, y], spec), shape)
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) }
  return expand(g, g.op('FusedMatMul', [x, y], spec, attributes, 'com.microsoft'), shape)
}

function gemm(g: Graph, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const shape = [a.shape[transposeA ? 1 : 0]!, b.shape[transposeB ? 0 : 1]!]
  const attributes = { ...(transposeA && { transA: 1 }), ...(transposeB && { transB: 1 }) }
  return g.op('Gemm', [a, b], { type: a.type, shape }, attributes)
}

/** `x` without batch axes that are only broadcast or of size 1. */
function unbatched(g: Graph, x: Value): Value {
  const source = inputsOf(x, 'Expand')?.[0]
  const matrixKept =
    source !== undefined && source.shape.at(-1) === x.shape.at(-1) && source.shape.at(-2) === x.shape.at(-2)
  const narrow = matrixKept && splatOf(x) === undefined ? source : x
  const batch = narrow.shape.slice(0, -2)
  return batch.length > 0 && sizeOf(batch) === 1 ? reshape(g, narrow, narrow.shape.slice(-2)) : narrow
}

function reshapeUp(g: Graph, product: Value, batch: Shape): Value {
  return reshape(g, product, [...batch.map(() => 1), ...product.shape])
}
