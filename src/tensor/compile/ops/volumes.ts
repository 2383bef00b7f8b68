/** Convolutions of each channel by itself, and of volumes: both as the pixels under every window, times the filter. */
import { sizeOf } from '../../../core/ndarray.ts'
import { tf } from '../../tf.ts'
import { binary } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { matMul } from '../matmul.ts'
import { reshape } from '../movement.ts'
import { reduce } from '../reduce.ts'
import { gatherRows, patches, sumRows, windowTable } from '../windows.ts'
import { windowOf } from './convolution.ts'
import type { Lowering, Lowerings } from './lowering.ts'

type Shape4 = [number, number, number, number]
type Shape5 = [number, number, number, number, number]
type DepthwiseAttributes = tf.DepthwiseConv2dNativeAttrs

function depthwiseInfo(input: readonly number[], filter: readonly number[], attributes: DepthwiseAttributes) {
  const { strides, pad, dilations, dimRoundingMode } = attributes
  return tf.backend_util.computeConv2DInfo(
    input as Shape4,
    filter as Shape4,
    strides,
    dilations ?? [1, 1],
    pad,
    dimRoundingMode,
    true,
  )
}

type DepthwiseInfo = ReturnType<typeof depthwiseInfo>

/** Sizes of what is multiplied: [B, positions, taps, channels, filters per channel]. */
function factorShape(info: DepthwiseInfo): Shape5 {
  const positions = info.outHeight * info.outWidth
  const taps = info.filterHeight * info.filterWidth
  return [info.batchSize, positions, taps, info.inChannels, info.outChannels / info.inChannels]
}

const depthwise: Lowering<DepthwiseAttributes> = (g, { x, filter }, attributes) => {
  const info = depthwiseInfo(x!.shape, filter!.shape, attributes)
  const [batch, positions, taps, channels, multiplier] = factorShape(info)
  const rows = reshape(g, patches(g, x!, windowOf(info)), [batch, positions, taps, channels, 1])
  const weighted = binary(g, 'Mul', rows, reshape(g, filter!, [1, 1, taps, channels, multiplier]))
  return reshape(g, reduce(g, 'ReduceSum', weighted, [2]), info.outShape)
}

const depthwiseFilterGrad: Lowering<DepthwiseAttributes & { filterShape: readonly number[] }> = (
  g,
  { x, dy },
  attributes,
) => {
  const info = depthwiseInfo(x!.shape, attributes.filterShape, attributes)
  const [batch, positions, taps, channels, multiplier] = factorShape(info)
  const rows = reshape(g, patches(g, x!, windowOf(info)), [batch, positions, taps, channels, 1])
  const weighted = binary(g, 'Mul', rows, reshape(g, dy!, [batch, positions, 1, channels, multiplier]))
  return reshape(g, reduce(g, 'ReduceSum', weighted, [0, 1]), attributes.filterShape)
}

const depthwiseInputGrad: Lowering<DepthwiseAttributes & { inputShape: readonly number[] }> = (
  g,
  { dy, filter },
  attributes,
) => {
  const info = depthwiseInfo(attributes.inputShape, filter!.shape, attributes)
  const [batch, positions, taps, channels, multiplier] = factorShape(info)
  const weighted = binary(
    g,
    'Mul',
    reshape(g, dy!, [batch, positions, 1, channels, multiplier]),
    reshape(g, filter!, [1, 1, taps, channels, multiplier]),
  )
  const shares = reshape(g, reduce(g, 'ReduceSum', weighted, [4]), [batch, positions * taps, channels])
  return reshape(
    g,
    sumRows(g, shares, windowTable(windowOf(info)), info.inHeight * info.inWidth),
    attributes.inputShape,
  )
}

interface VolumeAttributes {
  readonly strides: [number, number, number] | number
  readonly pad: 'valid' | 'same'
  readonly dilations?: [number, number, number] | number
}

type VolumeInfo = tf.backend_util.Conv3DInfo

function volumeInfo(input: readonly number[], filter: readonly number[], attributes: VolumeAttributes): VolumeInfo {
  const { strides, pad, dilations = 1 } = attributes
  return tf.backend_util.computeConv3DInfo(input as Shape5, filter as Shape5, strides, dilations, pad)
}

/** Index of the voxel under every tap at every position, and one past the last where a tap is outside. */
function volumeTable(info: VolumeInfo): Int32Array {
  const { inDepth, inHeight, inWidth, padInfo } = info
  const outside = inDepth * inHeight * inWidth
  const along = (out: number, taps: number, stride: number, dilation: number, padding: number, size: number) =>
    Array.from({ length: out }, (_, position) =>
      Array.from({ length: taps }, (__, tap) => {
        const at = position * stride - padding + tap * dilation
        return at >= 0 && at < size ? at : -1
      }),
    )
  const depths = along(info.outDepth, info.filterDepth, info.strideDepth, info.dilationDepth, padInfo.front, inDepth)
  const rows = along(info.outHeight, info.filterHeight, info.strideHeight, info.dilationHeight, padInfo.top, inHeight)
  const columns = along(info.outWidth, info.filterWidth, info.strideWidth, info.dilationWidth, padInfo.left, inWidth)
  const table: number[] = []
  for (const z of depths)
    for (const y of rows)
      for (const x of columns) {
        for (const i of z)
          for (const j of y)
            for (const k of x) {
              table.push(i < 0 || j < 0 || k < 0 ? outside : (i * inHeight + j) * inWidth + k)
            }
      }
  return Int32Array.from(table)
}

function volumeSizes(info: VolumeInfo): { positions: number; taps: number; voxels: number } {
  return {
    positions: info.outDepth * info.outHeight * info.outWidth,
    taps: info.filterDepth * info.filterHeight * info.filterWidth,
    voxels: info.inDepth * info.inHeight * info.inWidth,
  }
}

/** Voxels under the window as rows of a matrix: [B * positions, taps * C]. */
function volumeMatrix(g: Graph, x: Value, info: VolumeInfo): Value {
  const { positions, taps, voxels } = volumeSizes(info)
  const flat = reshape(g, x, [info.batchSize, voxels, info.inChannels])
  const rows = gatherRows(g, flat, volumeTable(info), [positions, taps], 0)
  return reshape(g, rows, [info.batchSize * positions, taps * info.inChannels])
}

const conv3d: Lowering<VolumeAttributes> = (g, { x, filter }, attributes) => {
  const info = volumeInfo(x!.shape, filter!.shape, attributes)
  const matrix = reshape(g, filter!, [sizeOf(filter!.shape.slice(0, -1)), info.outChannels])
  return reshape(g, matMul(g, volumeMatrix(g, x!, info), matrix, false, false), info.outShape)
}

const conv3dFilterGrad: Lowering<VolumeAttributes & { filterShape: readonly number[] }> = (
  g,
  { x, dy },
  attributes,
) => {
  const info = volumeInfo(x!.shape, attributes.filterShape, attributes)
  const flat = reshape(g, dy!, [sizeOf(dy!.shape.slice(0, -1)), info.outChannels])
  return reshape(g, matMul(g, volumeMatrix(g, x!, info), flat, true, false), attributes.filterShape)
}

const conv3dInputGrad: Lowering<VolumeAttributes & { inputShape: readonly number[] }> = (
  g,
  { dy, filter },
  attributes,
) => {
  const info = volumeInfo(attributes.inputShape, filter!.shape, attributes)
  const { positions, taps, voxels } = volumeSizes(info)
  const flat = reshape(g, dy!, [info.batchSize * positions, info.outChannels])
  const matrix = reshape(g, filter!, [taps * info.inChannels, info.outChannels])
  const shares = reshape(g, matMul(g, flat, matrix, false, true), [info.batchSize, positions * taps, info.inChannels])
  return reshape(g, sumRows(g, shares, volumeTable(info), voxels), attributes.inputShape)
}

export const VOLUMES: Lowerings = {
  DepthwiseConv2dNative: depthwise,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGrad,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGrad,
  Conv3D: conv3d,
  Conv3DBackpropFilterV2: conv3dFilterGrad,
  Conv3DBackpropInputV2: conv3dInputGrad,
}
