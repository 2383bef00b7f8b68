import { tf } from '../../tf.ts'
import { reduce } from '../reduce.ts'
import { binary, cast, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { expand, reshape } from '../movement.ts'
import type { Window } from '../windows.ts'
import { patches, sumRows, windowTable } from '../windows.ts'
import { windowOf } from './convolution.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { unsupported } from './lowering.ts'

type PoolAttributes = tf.MaxPoolAttrs

function poolInfo(shape: readonly number[], attributes: PoolAttributes): tf.backend_util.Conv2DInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attributes
  return tf.backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  )
}

const maxPool: Lowering<PoolAttributes> = (g, { x }, attributes) => {
  const info = poolInfo(x!.shape, attributes)
  const rows = patches(g, numbersOf(g, x!), windowOf(info), -Infinity) // [B, positions, taps, C]
  return reshape(g, reduce(g, 'ReduceMax', rows, [2]), info.outShape)
}

/** TF.js passes over NaN where it looks for the largest. */
function numbersOf(g: Graph, x: Value): Value {
  return where(g, binary(g, 'Equal', x, x), x, g.splat(-Infinity))
}

/** The gradient goes to the first of the largest elements under the window. */
const maxPoolGrad: Lowering<PoolAttributes> = (g, { dy, input }, attributes) => {
  const info = poolInfo(input!.shape, attributes)
  const window = windowOf(info)
  const rows = patches(g, numbersOf(g, input!), window, -Infinity) // [B, positions, taps, C]
  const [batch, positions, taps, channels] = rows.shape as readonly [number, number, number, number]
  const spec = { type: 'int64', shape: [batch, positions, 1, channels] } as const
  const winner = cast(g, g.op('ArgMax', [rows], spec, { axis: 2, keepdims: 1 }), 'int32')
  const tapIndex = g.int32s(
    Int32Array.from({ length: taps }, (_, i) => i),
    [taps, 1],
  )
  const isWinner = cast(g, binary(g, 'Equal', winner, tapIndex), 'float32')
  const share = binary(g, 'Mul', isWinner, reshape(g, dy!, [batch, positions, 1, channels]))
  return reshape(g, sumPatches(g, share, window), input!.shape)
}

const avgPool: Lowering<PoolAttributes> = (g, { x }, attributes) => {
  const info = poolInfo(x!.shape, attributes)
  const window = windowOf(info)
  const sum = reduce(g, 'ReduceSum', patches(g, x!, window), [2]) // [B, positions, C]
  const inverse = tapsInside(window).map((count) => 1 / count)
  return reshape(g, binary(g, 'Mul', sum, g.array(inverse, [inverse.length, 1], 'float32')), info.outShape)
}

/** TF.js divides by the whole window here but by the taps inside the image in the forward pass: they agree only without padding. */
const avgPoolGrad: Lowering<PoolAttributes> = (g, { dy, input }, attributes) => {
  const info = poolInfo(input!.shape, attributes)
  const window = windowOf(info)
  const taps = window.height * window.width
  if (tapsInside(window).some((count) => count !== taps))
    throw unsupported('AvgPoolGrad', 'windows that hang over the image')
  const [batch, positions, channels] = [info.batchSize, info.outHeight * info.outWidth, info.inChannels]
  const scaled = binary(g, 'Mul', reshape(g, dy!, [batch, positions, 1, channels]), g.splat(1 / taps))
  return reshape(g, sumPatches(g, expand(g, scaled, [batch, positions, taps, channels]), window), input!.shape)
}

/** How many taps lie inside the image at each position. */
function tapsInside(window: Window): Float32Array {
  const covered = (size: number, out: number, taps: number, stride: number, padding: number): number[] =>
    Array.from({ length: out }, (_, i) => {
      const start = i * stride - padding
      return Math.min(start + taps, size) - Math.max(start, 0)
    })
  const rows = covered(window.inHeight, window.outHeight, window.height, window.strideHeight, window.padTop)
  const columns = covered(window.inWidth, window.outWidth, window.width, window.strideWidth, window.padLeft)
  return Float32Array.from(rows.flatMap((row) => columns.map((column) => row * column)))
}

/** Adds what every window [B, positions, taps, C] says about a pixel: [B, pixels, C]. The adjoint of `patches`. */
function sumPatches(g: Graph, shares: Value, window: Window): Value {
  const [batch, positions, taps, channels] = shares.shape as readonly [number, number, number, number]
  const flat = reshape(g, shares, [batch, positions * taps, channels])
  return sumRows(g, flat, windowTable(window), window.inHeight * window.inWidth)
}

export const POOLING: Lowerings = {
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGrad,
  AvgPool: avgPool,
  AvgPoolGrad: avgPoolGrad,
}
