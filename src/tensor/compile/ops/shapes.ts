import { ArmatureError } from '../../../core/errors.ts'
import { sizeOf } from '../../../core/ndarray.ts'
import { tf } from '../../tf.ts'
import { cast } from '../elementwise.ts'
import type { Graph, Shape, Value } from '../graph.ts'
import { concat, expand, gather, pad, reshape, slice, split, transpose } from '../movement.ts'
import type { ValueType } from '../onnx-model.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { listOf, unsupported } from './lowering.ts'

/** The element type inside a graph for a TF.js dtype. */
export function valueType(dtype: tf.DataType): ValueType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype
  throw new ArmatureError('unsupported-op', `tensors of type ${dtype} are not covered by the onnx engine`)
}

function positiveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis
}

const expandDims: Lowering<{ dim: number }> = (g, { input }, { dim }) => {
  const axis = positiveAxis(dim, input!.shape.length + 1)
  return reshape(g, input!, input!.shape.toSpliced(axis, 0, 1))
}

const sliceOp: Lowering<tf.SliceAttrs> = (g, { x }, attributes) => {
  const [begin, size] = tf.slice_util.parseSliceParams(
    { shape: [...x!.shape] } as tf.TensorInfo,
    attributes.begin,
    attributes.size,
  )
  return slice(g, x!, begin!, size!)
}

const stridedSlice: Lowering<tf.StridedSliceAttrs> = (g, { x }, attributes) => {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attributes
  const info = tf.slice_util.sliceInfo(
    [...x!.shape],
    begin,
    end,
    strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  )
  const size = tf.slice_util.computeOutShape(info.begin, info.end, info.strides)
  return reshape(g, slice(g, x!, info.begin, size, info.strides), info.finalShape)
}

const concatOp: Lowering<{ axis: number }> = (g, operands, { axis }) => {
  const parts = listOf(operands)
  const first = parts[0]!
  const at = positiveAxis(axis, first.shape.length)
  const filled = parts.filter((part) => part.shape[at] !== 0).map((part) => cast(g, part, first.type))
  return filled.length === 0 ? first : concat(g, filled, at)
}

const pack: Lowering<{ axis: number }> = (g, operands, { axis }) => {
  const parts = listOf(operands)
  const at = positiveAxis(axis, parts[0]!.shape.length + 1)
  const rows = parts.map((part) => reshape(g, part, part.shape.toSpliced(at, 0, 1)))
  return concat(g, rows, at)
}

const unpack: Lowering<{ axis: number }> = (g, { value }, { axis }) => {
  const at = positiveAxis(axis, value!.shape.length)
  const parts = split(g, value!, Array<number>(value!.shape[at]!).fill(1), at)
  return parts.map((part) => reshape(g, part, part.shape.toSpliced(at, 1)))
}

const splitV: Lowering<{ numOrSizeSplits: number | number[]; axis: number }> = (g, { x }, attributes) => {
  const axis = positiveAxis(attributes.axis, x!.shape.length)
  const sizes = tf.backend_util.prepareSplitSize({ shape: x!.shape } as tf.Tensor, attributes.numOrSizeSplits, axis)
  return split(g, x!, sizes, axis)
}

/** Repeating an axis of size 1 is a broadcast, which costs nothing. */
const tile: Lowering<{ reps: readonly number[] }> = (g, { x }, { reps }) => {
  const broadcast = x!.shape.map((size, axis) => (size === 1 ? reps[axis]! : size))
  const rest = x!.shape.map((size, axis) => (size === 1 ? 1 : reps[axis]!))
  const widened = expand(g, x!, broadcast)
  if (rest.every((count) => count === 1)) return widened
  const shape = broadcast.map((size, axis) => size * rest[axis]!)
  return g.op('Tile', [widened, g.int64s(rest)], { type: x!.type, shape })
}

const padV2: Lowering<tf.PadV2Attrs> = (g, { x }, { paddings, constantValue }) =>
  pad(
    g,
    x!,
    paddings.map(([before]) => before),
    paddings.map(([, after]) => after),
    constantValue,
  )

const mirrorPad: Lowering<tf.MirrorPadAttrs> = (g, { x }, { paddings, mode }) =>
  paddings.reduce((padded, [before, after], axis) => {
    if (before === 0 && after === 0) return padded
    return gather(
      g,
      padded,
      g.int32s(mirrorTable(padded.shape[axis]!, before, after, mode), [before + padded.shape[axis]! + after]),
      axis,
    )
  }, x!)

function mirrorTable(size: number, before: number, after: number, mode: 'reflect' | 'symmetric'): Int32Array {
  const offset = mode === 'reflect' ? 0 : 1
  return Int32Array.from({ length: before + size + after }, (_, i) => {
    const at = i - before
    if (at < 0) return -at - offset
    return at < size ? at : 2 * (size - 1) - at + offset
  })
}

const depthToSpace: Lowering<{ blockSize: number; dataFormat: string }> = (g, { x }, { blockSize, dataFormat }) => {
  if (dataFormat !== 'NHWC') throw unsupported('DepthToSpace', dataFormat)
  const [batch, height, width, depth] = x!.shape as readonly [number, number, number, number]
  const channels = depth / (blockSize * blockSize)
  const blocks = reshape(g, x!, [batch, height, width, blockSize, blockSize, channels])
  const placed = transpose(g, blocks, [0, 1, 3, 2, 4, 5])
  return reshape(g, placed, [batch, height * blockSize, width * blockSize, channels])
}

/** A constant vector of `count` numbers. */
function sequence(g: Graph, count: number, type: ValueType, at: (i: number) => number): Value {
  const data = type === 'int32' ? new Int32Array(count) : new Float32Array(count)
  for (let i = 0; i < count; i++) data[i] = at(i)
  return g.array(data, [count], type)
}

const range: Lowering<tf.RangeAttrs> = (g, _, { start, stop, step, dtype }) => {
  const count = Math.max(0, Math.ceil((stop - start) / step))
  return sequence(g, count, valueType(dtype), (i) => start + i * step)
}

const linSpace: Lowering<tf.LinSpaceAttrs> = (g, _, { start, stop, num }) =>
  sequence(g, num, 'float32', (i) => (num === 1 ? start : start + (i * (stop - start)) / (num - 1)))

const fill: Lowering<{ shape: Shape; value: number; dtype?: tf.DataType }> = (g, _, { shape, value, dtype }) =>
  g.splat(value, shape, valueType(dtype ?? 'float32'))

export const SHAPES: Lowerings = {
  Identity: (_, { x }) => x!,
  Cast: (g, { x }, { dtype }: { dtype: tf.DataType }) => cast(g, x!, valueType(dtype)),
  Reshape: (g, { x }, { shape }: { shape: Shape }) =>
    reshape(g, x!, tf.util.inferFromImplicitShape([...shape], sizeOf(x!.shape))),
  ExpandDims: expandDims,
  Transpose: (g, { x }, { perm }: { perm: readonly number[] }) => transpose(g, x!, perm),
  BroadcastTo: (g, { x }, { shape }: { shape: Shape }) => expand(g, x!, shape),
  Tile: tile,
  Slice: sliceOp,
  StridedSlice: stridedSlice,
  Concat: concatOp,
  Pack: pack,
  Unpack: unpack,
  SplitV: splitV,
  PadV2: padV2,
  MirrorPad: mirrorPad,
  DepthToSpace: depthToSpace,
  Range: range,
  LinSpace: linSpace,
  Fill: fill,
  ZerosLike: (g, { x }) => g.splat(0, x!.shape, x!.type),
  OnesLike: (g, { x }) => g.splat(1, x!.shape, x!.type),
}
