import { matMul } from '../contract.ts'
import { cast } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { reshape } from '../movement.ts'
import type { Lowering, Lowerings } from './lowering.ts'

interface ResizeAttributes {
  readonly alignCorners: boolean
  readonly halfPixelCenters: boolean
  readonly size: readonly [number, number]
}

/** Weights [to, from] of one axis: row i says how output i mixes the inputs. */
type Mixer = (from: number, to: number, attributes: ResizeAttributes) => Float32Array

function scaleOf(from: number, to: number, alignCorners: boolean): number {
  return alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to
}

const bilinear: Mixer = (from, to, { alignCorners, halfPixelCenters }) => {
  const weights = new Float32Array(to * from)
  const scale = scaleOf(from, to, alignCorners)
  for (let i = 0; i < to; i++) {
    const at = halfPixelCenters ? scale * (i + 0.5) - 0.5 : scale * i
    const low = Math.max(0, Math.floor(at))
    const high = Math.min(from - 1, Math.ceil(at))
    const fraction = at - low
    weights[i * from + low]! += 1 - fraction
    weights[i * from + high]! += fraction
  }
  return weights
}

const nearest: Mixer = (from, to, { alignCorners, halfPixelCenters }) => {
  const weights = new Float32Array(to * from)
  const scale = scaleOf(from, to, alignCorners)
  for (let i = 0; i < to; i++) {
    const at = halfPixelCenters ? scale * (i + 0.5) : scale * i
    const index = Math.min(from - 1, alignCorners ? Math.round(at) : Math.floor(at))
    weights[i * from + Math.max(0, index)] = 1
  }
  return weights
}

/** Images [B, H, W, C] times one matrix per axis; transposed, the matrices carry the gradient back. */
function mix(g: Graph, images: Value, rows: Value, columns: Value, transposed: boolean): Value {
  const [batch, height, width, channels] = images.shape as readonly [number, number, number, number]
  const [outHeight, outWidth] = [rows, columns].map((matrix) => matrix.shape[transposed ? 1 : 0]!) as [number, number]
  const tall = matMul(g, rows, reshape(g, images, [batch, height, width * channels]), transposed, false)
  const byRow = reshape(g, tall, [batch * outHeight, width, channels])
  return reshape(g, matMul(g, columns, byRow, transposed, false), [batch, outHeight, outWidth, channels])
}

function matrices(g: Graph, mixer: Mixer, shape: readonly number[], attributes: ResizeAttributes): [Value, Value] {
  const [height, width] = [shape[1]!, shape[2]!]
  const [outHeight, outWidth] = attributes.size
  return [
    g.array(mixer(height, outHeight, attributes), [outHeight, height], 'float32'),
    g.array(mixer(width, outWidth, attributes), [outWidth, width], 'float32'),
  ]
}

function resize(mixer: Mixer): Lowering<ResizeAttributes> {
  return (g, { images }, attributes) =>
    mix(g, cast(g, images!, 'float32'), ...matrices(g, mixer, images!.shape, attributes), false)
}

function resizeGrad(mixer: Mixer): Lowering<ResizeAttributes> {
  return (g, { images, dy }, { alignCorners, halfPixelCenters }) => {
    const size = [dy!.shape[1]!, dy!.shape[2]!] as const
    return mix(g, dy!, ...matrices(g, mixer, images!.shape, { alignCorners, halfPixelCenters, size }), true)
  }
}

export const RESIZE: Lowerings = {
  ResizeBilinear: resize(bilinear),
  ResizeBilinearGrad: resizeGrad(bilinear),
  ResizeNearestNeighbor: resize(nearest),
  ResizeNearestNeighborGrad: resizeGrad(nearest),
}
