import { sizeOf } from '../../core/ndarray.ts'
import { channelBlocks } from './blocks.ts'
import { gemm } from './matmul.ts'
import { binary } from './elementwise.ts'
import type { Graph, Value } from './graph.ts'
import { expand, reshape, unexpanded } from './movement.ts'

export type Reduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd'

/** What TF.js makes of an empty tensor. */
const OF_NOTHING: Readonly<Record<Reduction, number>> = {
  ReduceSum: 0,
  ReduceMean: 0,
  ReduceProd: 1,
  ReduceMax: NaN,
  ReduceMin: NaN,
}

/** Reduces `x` over `axes`. */
export function reduce(g: Graph, kind: Reduction, x: Value, axes: readonly number[], keepDims = false): Value {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis))
  if (sizeOf(x.shape) === 0) return g.splat(OF_NOTHING[kind], shape, x.type)
  const inner = axes.filter((axis) => x.shape[axis] !== 1)
  if (inner.length === 0) return reshape(g, x, shape)
  const blocks = channelBlocks(x)
  if (blocks !== undefined && axes.includes(1) && axes.includes(2) && !axes.includes(3)) {
    return reshape(g, reducePlaces(g, kind, blocks, axes.includes(0)), shape)
  }
  const ofBroadcast = reduceBroadcast(g, kind, x, inner)
  return reshape(g, ofBroadcast ?? reduceBlocks(g, kind, x, inner), shape)
}

/** Blocks [B, C / lanes, H, W, lanes] reduced over H and W, and over B then: [B, C] or [C]. */
function reducePlaces(g: Graph, kind: Reduction, blocks: Value, overBatch: boolean): Value {
  const [batch, count, height, width, lanes] = blocks.shape as readonly [number, number, number, number, number]
  const places = reduce(g, kind, reshape(g, blocks, [batch * count, height * width, lanes]), [1])
  const rows = reshape(g, places, [batch, count * lanes])
  return overBatch ? reduce(g, kind, rows, [0]) : rows
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

interface Block {
  readonly size: number
  readonly reduced: boolean
}

/** The axes of `x`, with neighbours of one kind merged: kept, reduced, kept, ... The first is always a kept one. */
function blocksOf(x: Value, axes: readonly number[]): Block[] {
  const blocks: Block[] = [{ size: 1, reduced: false }]
  for (const [axis, size] of x.shape.entries()) {
    if (size === 1) continue
    const reduced = axes.includes(axis)
    const last = blocks.at(-1)!
    if (last.reduced === reduced) blocks[blocks.length - 1] = { size: last.size * size, reduced }
    else blocks.push({ size, reduced })
  }
  return blocks
}

function reduceBlocks(g: Graph, kind: Reduction, x: Value, axes: readonly number[]): Value {
  const blocks = blocksOf(x, axes)
  const sizes = blocks.map(({ size }) => size)
  const isColumns = blocks.length === 3 && sizes[0] === 1 && x.type === 'float32'
  if (isColumns && (kind === 'ReduceSum' || kind === 'ReduceMean'))
    return reduceColumns(g, kind, reshape(g, x, sizes.slice(1)))
  const reduced = [...blocks.keys()].filter((axis) => blocks[axis]!.reduced)
  const shape = blocks.filter((block) => !block.reduced).map(({ size }) => size)
  return g.op(kind, [reshape(g, x, sizes), g.int64s(reduced)], { type: x.type, shape }, { keepdims: 0 })
}

/** Shorter rows are summed side by side first, as one long row: vector instructions want width. */
const LEAST_COLUMNS = 16
/** More rows are summed in two stages: faster, and with less rounding. */
const MOST_ROWS = 1024

/**
 * Column sums (bias gradients) or means of `matrix` [R, K], as a product with a row of ones: ONNX Runtime's own reduction takes
 * fifteen times as long ([256, 256]: 70 us instead of 5).
 */
function reduceColumns(g: Graph, kind: 'ReduceSum' | 'ReduceMean', matrix: Value): Value {
  const [rows, columns] = matrix.shape as readonly [number, number]
  if (rows > MOST_ROWS && columns < LEAST_COLUMNS && rows % LEAST_COLUMNS === 0) {
    const wide = reshape(g, matrix, [rows / LEAST_COLUMNS, LEAST_COLUMNS * columns])
    return reduce(g, kind, reshape(g, reduce(g, kind, wide, [0]), [LEAST_COLUMNS, columns]), [0])
  }
  const run = rows > MOST_ROWS ? runLength(rows) : undefined
  if (run !== undefined) {
    return reduce(g, kind, reduce(g, kind, reshape(g, matrix, [rows / run, run, columns]), [1]), [0])
  }
  const weights = g.splat(kind === 'ReduceSum' ? 1 : 1 / rows, [1, rows])
  return reshape(g, gemm(g, weights, matrix, false, false), [columns])
}

/** The divisor of `rows` nearest to its root from above, if it helps. */
function runLength(rows: number): number | undefined {
  for (let run = Math.ceil(Math.sqrt(rows)); run <= MOST_ROWS; run++) if (rows % run === 0) return run
  return undefined
}
