import { sizeOf } from '../../../core/ndarray.ts'
import { binary, cast, where } from '../elementwise.ts'
import type { Graph, Shape, Value } from '../graph.ts'
import { constantData } from '../graph.ts'
import { expand, reshape, slice } from '../movement.ts'
import { reduce } from '../reduce.ts'
import type { Lowering, Lowerings } from './lowering.ts'

/** Whether `indices` were found by the graph itself, as places of largest elements are. */
export function isNeverNegative(indices: Value): boolean {
  if (indices.constant !== undefined) return constantData(indices).every((index: number | bigint) => index >= 0)
  const { op, inputs } = indices.node ?? { op: '', inputs: [] }
  if (op === 'ArgMax' || op === 'ArgMin' || op === 'TopK') return true
  if (op === 'Where') return isNeverNegative(inputs[1]!) && isNeverNegative(inputs[2]!)
  return ['Cast', 'Reshape', 'Expand', 'Slice', 'Transpose'].includes(op) && isNeverNegative(inputs[0]!)
}

/**
 * ONNX counts negative indices from the end; TF.js refuses them, so they are moved past the end (`sizes`, elements per axis),
 * where ONNX Runtime refuses them too.
 */
export function withoutNegative(g: Graph, indices: Value, sizes: Value): Value {
  if (isNeverNegative(indices)) return indices
  return where(g, binary(g, 'Less', indices, g.splat(0, [], 'int32')), sizes, indices)
}

/** Rows of `updates` [N, K] put (or added) into those of `data` [R, K] that `rows` [N] names, one after the other. */
export function scatterRows(g: Graph, data: Value, rows: Value, updates: Value, adds: boolean): Value {
  const index = expand(g, reshape(g, rows, [updates.shape[0]!, 1]), updates.shape)
  const attributes = { axis: 0, reduction: adds ? 'add' : 'none' }
  return g.op('ScatterElements', [data, index, updates], { type: data.type, shape: data.shape }, attributes)
}

/** Indices [..., depth] into `shape` as numbers of rows, [N]. */
function rowsOf(g: Graph, indices: Value, shape: Shape): Value {
  const depth = indices.shape.at(-1)!
  const strides = Int32Array.from({ length: depth }, (_, axis) => sizeOf(shape.slice(axis + 1, depth)))
  const sizes = Int32Array.from({ length: depth }, (_, axis) => shape[axis]! * strides[axis]!)
  const scaled = binary(g, 'Mul', cast(g, indices, 'int32'), g.int32s(strides, [depth]))
  // One index past the end is enough for the sum to be there too, as long as no other is negative.
  const checked = withoutNegative(g, scaled, g.int32s(sizes, [depth]))
  return reshape(g, reduce(g, 'ReduceSum', checked, [indices.shape.length - 1]), [sizeOf(indices.shape.slice(0, -1))])
}

function scatter(g: Graph, data: Value, indices: Value, updates: Value, adds: boolean): Value {
  const { shape } = data
  const depth = indices.shape.at(-1)!
  const width = sizeOf(shape.slice(depth))
  const count = sizeOf(indices.shape.slice(0, -1))
  const table = reshape(g, data, [sizeOf(shape.slice(0, depth)), width])
  const rows = reshape(g, updates, [count, width])
  return reshape(g, scatterRows(g, table, rowsOf(g, indices, shape), rows, adds), shape)
}

/** Zeros with `updates` added at `indices`: those of one place add up. */
const scatterNd: Lowering<{ shape: Shape }> = (g, { indices, updates }, { shape }) =>
  scatter(g, g.splat(0, shape, updates!.type), indices!, updates!, true)

/** `tensor` with `updates` in place of what is at `indices`: the last one of a place stays. */
const scatterUpdate: Lowering = (g, { tensor, indices, updates }) =>
  scatter(g, tensor!, indices!, cast(g, updates!, tensor!.type), false)

/** Sums of the rows [N, K] with the same id, [count, K]; ids outside of 0..count - 1 are left out. */
export function scatterSums(g: Graph, rows: Value, ids: Value, count: number): Value {
  const number = (value: number): Value => g.splat(value, [], 'int32')
  const inside = binary(g, 'And', binary(g, 'GreaterOrEqual', ids, number(0)), binary(g, 'Less', ids, number(count)))
  const table = g.splat(0, [count + 1, rows.shape[1]!], rows.type)
  const sums = scatterRows(g, table, where(g, inside, ids, number(count)), rows, true)
  return slice(g, sums, [0, 0], [count, rows.shape[1]!])
}

/** The `k` largest elements along the last axis, from the largest on, and their places; of equal ones the first. */
const topK: Lowering<{ k: number }> = (g, { x }, { k }) => {
  const shape = [...x!.shape.slice(0, -1), k]
  const specs = [
    { type: x!.type, shape },
    { type: 'int64', shape },
  ] as const
  const [values, places] = g.node('TopK', [x!, g.int64s([k])], specs, { axis: -1, largest: 1, sorted: 1 })
  return [values!, cast(g, places!, 'int32')]
}

export const SCATTER: Lowerings = {
  ScatterNd: scatterNd,
  TensorScatterUpdate: scatterUpdate,
  TopK: topK,
}
