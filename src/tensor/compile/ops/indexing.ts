import { ArmatureError } from '../../../core/errors.ts'
import { sizeOf } from '../../../core/ndarray.ts'
import { tf } from '../../tf.ts'
import { matMul } from '../matmul.ts'
import { binary, cast, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { constantData } from '../graph.ts'
import { gather, reshape, transpose } from '../movement.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { scatterSums, withoutNegative } from './scatter.ts'
import { valueType } from './shapes.ts'

/** 1 in column indices[i] of row i, 0 elsewhere: [...indices.shape, depth]. */
function oneHot(g: Graph, indices: Value, depth: number): Value {
  const columns = g.int32s(
    Int32Array.from({ length: depth }, (_, i) => i),
    [depth],
  )
  const rows = reshape(g, cast(g, indices, 'int32'), [...indices.shape, 1])
  return cast(g, binary(g, 'Equal', rows, columns), 'float32')
}

const oneHotOp: Lowering<tf.OneHotAttrs> = (g, { indices }, { depth, onValue, offValue, dtype }) => {
  const mask = oneHot(g, indices!, depth)
  const scaled = binary(g, 'Mul', mask, g.splat(onValue - offValue))
  return cast(g, binary(g, 'Add', scaled, g.splat(offValue)), valueType(dtype ?? 'int32'))
}

/** `indices` as int32 for an axis of `size` elements; constant ones are checked, the others when they are used. */
function checkedIndices(g: Graph, indices: Value, size: number): Value {
  const rows = cast(g, indices, 'int32')
  if (rows.constant === undefined) return withoutNegative(g, rows, g.splat(size, [], 'int32'))
  const wrong = [...(constantData(rows) as Int32Array)].find((index) => index < 0 || index >= size)
  if (wrong === undefined) return rows
  throw new ArmatureError('bad-value', 'gather', { expected: `indices from 0 to ${size - 1}`, got: String(wrong) })
}

/** Without batch axes ONNX's Gather is the same; with them, the batches are laid end to end and the indices shifted. */
const gatherV2: Lowering<{ axis: number; batchDims?: number }> = (g, { x, indices }, { axis, batchDims = 0 }) => {
  const at = axis < 0 ? axis + x!.shape.length : axis
  const rows = checkedIndices(g, indices!, x!.shape[at]!)
  if (batchDims === 0) return gather(g, x!, rows, at)
  const batch = x!.shape.slice(0, batchDims)
  const moved = transpose(g, x!, bringForward(at, batchDims, x!.shape.length))
  const length = moved.shape[batchDims]!
  const rest = moved.shape.slice(batchDims + 1)
  const count = sizeOf(batch)
  const start = g.int32s(
    Int32Array.from({ length: count }, (_, i) => i * length),
    [count, 1],
  )
  const perBatch = sizeOf(rows.shape) / count
  // An index past the end of its batch would lie in the next one.
  const isPast = binary(g, 'GreaterOrEqual', rows, g.splat(length, [], 'int32'))
  const kept = rows.constant === undefined ? where(g, isPast, g.splat(count * length, [], 'int32'), rows) : rows
  const flatRows = binary(g, 'Add', reshape(g, kept, [count, perBatch]), start)
  const picked = gather(g, reshape(g, moved, [count * length, ...rest]), flatRows, 0)
  const indexShape = rows.shape.slice(batchDims)
  const unordered = reshape(g, picked, [...batch, ...indexShape, ...rest])
  return transpose(g, unordered, putBack(at, batchDims, indexShape.length, unordered.shape.length))
}

/** The permutation that moves axis `from` to position `to`. */
function bringForward(from: number, to: number, rank: number): number[] {
  const axes = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== from)
  return axes.toSpliced(to, 0, from)
}

/** The permutation that moves `count` index axes from `from` back to where axis `to` of the source was. */
function putBack(to: number, from: number, count: number, rank: number): number[] {
  const axes = Array.from({ length: rank }, (_, i) => i)
  const index = axes.splice(from, count)
  return axes.toSpliced(to, 0, ...index)
}

const gatherNd: Lowering = (g, { params, indices }) => {
  const depth = indices!.shape.at(-1)!
  const shape = [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)]
  const sizes = g.int32s(Int32Array.from(params!.shape.slice(0, depth)), [depth])
  const checked = withoutNegative(g, cast(g, indices!, 'int32'), sizes)
  return g.op('GatherND', [params!, cast(g, checked, 'int64')], { type: params!.type, shape })
}

/** Largest one-hot matrix (elements) that sums by segment are a product with; beyond it rows are added one after the other. */
const MOST_ONE_HOT = 2 ** 20

/** Sum of the rows of `x` with the same id, as a product with the one-hot matrix of the ids: the gradient of a gather. */
const unsortedSegmentSum: Lowering<{ numSegments: number }> = (g, { x, segmentIds }, { numSegments }) => {
  const idRank = segmentIds!.shape.length
  const rest = x!.shape.slice(idRank)
  const rows = reshape(g, x!, [sizeOf(segmentIds!.shape), sizeOf(rest)])
  const ids = reshape(g, segmentIds!, [sizeOf(segmentIds!.shape)])
  if (rows.shape[0]! * numSegments > MOST_ONE_HOT) {
    return reshape(g, scatterSums(g, cast(g, rows, 'float32'), cast(g, ids, 'int32'), numSegments), [
      numSegments,
      ...rest,
    ])
  }
  const sums = matMul(g, oneHot(g, ids, numSegments), cast(g, rows, 'float32'), true, false)
  return reshape(g, sums, [numSegments, ...rest])
}

export const INDEXING: Lowerings = {
  OneHot: oneHotOp,
  GatherV2: gatherV2,
  GatherNd: gatherNd,
  UnsortedSegmentSum: unsortedSegmentSum,
}
