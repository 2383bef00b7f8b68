import { matMul } from '../matmul.ts'
import { binary, cast } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { gather, reshape } from '../movement.ts'
import type { Lowering, Lowerings } from './lowering.ts'

interface ResizeAttributes {
  readonly alignCorners: boolean
  readonly halfPixelCenters: boolean
  readonly size: readonly [number, number]
}

function scaleOf(from: number, to: number, alignCorners: boolean): number {
  return alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to
}

/** Where output `i` of one axis lies between two inputs: `low` and `high`, and how far it is from the first. */
interface Sample {
  readonly low: number
  readonly high: number
  readonly fraction: number
}

/** The samples of one axis. */
type Sampler = (from: number, to: number, attributes: ResizeAttributes) => readonly Sample[]

const bilinear: Sampler = (from, to, { alignCorners, halfPixelCenters }) => {
  const scale = scaleOf(from, to, alignCorners)
  return Array.from({ length: to }, (_, i) => {
    const at = halfPixelCenters ? scale * (i + 0.5) - 0.5 : scale * i
    const low = Math.max(0, Math.floor(at))
    return { low, high: Math.min(from - 1, Math.ceil(at)), fraction: at - low }
  })
}

const nearest: Sampler = (from, to, { alignCorners, halfPixelCenters }) => {
  const scale = scaleOf(from, to, alignCorners)
  return Array.from({ length: to }, (_, i) => {
    const at = halfPixelCenters ? scale * (i + 0.5) : scale * i
    const index = Math.max(0, Math.min(from - 1, alignCorners ? Math.round(at) : Math.floor(at)))
    return { low: index, high: index, fraction: 0 }
  })
}

/** `x` sampled along `axis`: low + (high - low) * fraction. Picked one by one, so that an infinity stays where it is. */
function sampled(g: Graph, x: Value, samples: readonly Sample[], axis: number): Value {
  const table = (pick: (sample: Sample) => number): Value => g.int32s(Int32Array.from(samples, pick), [samples.length])
  const low = gather(
    g,
    x,
    table((sample) => sample.low),
    axis,
  )
  if (samples.every(({ fraction }) => fraction === 0)) return low
  const high = gather(
    g,
    x,
    table((sample) => sample.high),
    axis,
  )
  const shape = x.shape.map((_, i) => (i === axis ? samples.length : 1)).slice(axis)
  const fractions = g.array(
    Float32Array.from(samples, (sample) => sample.fraction),
    shape,
    'float32',
  )
  return binary(g, 'Add', low, binary(g, 'Mul', binary(g, 'Sub', high, low), fractions))
}

/** TF.js resizes columns before rows, and keeps the type only where nothing is mixed. */
function resize(sampler: Sampler): Lowering<ResizeAttributes> {
  return (g, { images }, attributes) => {
    const [, height, width] = images!.shape as readonly [number, number, number]
    const source = sampler === bilinear ? cast(g, images!, 'float32') : images!
    const columns = sampled(g, source, sampler(width, attributes.size[1], attributes), 2)
    return sampled(g, columns, sampler(height, attributes.size[0], attributes), 1)
  }
}

/** Weights [to, from] of one axis: row i says how output i mixes the inputs. */
function weights(g: Graph, samples: readonly Sample[], from: number): Value {
  const matrix = new Float32Array(samples.length * from)
  for (const [i, { low, high, fraction }] of samples.entries()) {
    matrix[i * from + low]! += 1 - fraction
    matrix[i * from + high]! += fraction
  }
  return g.array(matrix, [samples.length, from], 'float32')
}

/** Each gradient [B, outHeight, outWidth, C] goes back to the pixels in proportion to their weights: one matrix per axis. */
function resizeGrad(sampler: Sampler): Lowering<ResizeAttributes> {
  return (g, { images, dy }, { alignCorners, halfPixelCenters }) => {
    const [batch, height, width, channels] = images!.shape as readonly [number, number, number, number]
    const [, outHeight, outWidth] = dy!.shape as readonly [number, number, number]
    const attributes = { alignCorners, halfPixelCenters, size: [outHeight, outWidth] } as const
    const rows = weights(g, sampler(height, outHeight, attributes), height)
    const columns = weights(g, sampler(width, outWidth, attributes), width)
    const tall = matMul(g, rows, reshape(g, dy!, [batch, outHeight, outWidth * channels]), true, false)
    const byRow = reshape(g, tall, [batch * height, outWidth, channels])
    return reshape(g, matMul(g, columns, byRow, true, false), [batch, height, width, channels])
  }
}

export const RESIZE: Lowerings = {
  ResizeBilinear: resize(bilinear),
  ResizeBilinearGrad: resizeGrad(bilinear),
  ResizeNearestNeighbor: resize(nearest),
  ResizeNearestNeighborGrad: resizeGrad(nearest),
}
