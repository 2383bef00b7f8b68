import type { Reduction } from '../reduce.ts'
import { reduce } from '../reduce.ts'
import { binary, cast } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { concat, reshape, slice, split } from '../movement.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { axesOf, unsupported } from './lowering.ts'

interface AxisAttributes {
  readonly axis: number | readonly number[] | null
  readonly keepDims?: boolean
}

function reduction(kind: Reduction): Lowering<AxisAttributes> {
  return (g, { x }, { axis, keepDims }) => {
    const numeric = x!.type === 'bool' ? cast(g, x!, 'int32') : x!
    return reduce(g, kind, numeric, axesOf(axis, x!.shape.length), keepDims)
  }
}

const mean: Lowering<AxisAttributes> = (g, { x }, { axis, keepDims }) =>
  reduce(g, 'ReduceMean', cast(g, x!, 'float32'), axesOf(axis, x!.shape.length), keepDims)

/** TF.js names this attribute of Max alone differently. */
const max: Lowering<AxisAttributes & { reductionIndices?: number | readonly number[] }> = (g, { x }, attributes) => {
  const axes = axesOf(attributes.reductionIndices ?? attributes.axis, x!.shape.length)
  return reduce(g, 'ReduceMax', x!, axes, attributes.keepDims)
}

/** Logical reductions as those of 0 and 1. */
function logicalReduction(kind: Reduction): Lowering<AxisAttributes> {
  return (g, { x }, { axis, keepDims }) => {
    const axes = axesOf(axis, x!.shape.length)
    return cast(g, reduce(g, kind, cast(g, x!, 'int32'), axes, keepDims), 'bool')
  }
}

function argReduction(op: string): Lowering<AxisAttributes> {
  return (g, { x }, { axis }) => {
    const [reduced] = axesOf(axis ?? 0, x!.shape.length)
    const shape = x!.shape.toSpliced(reduced!, 1)
    return cast(g, g.op(op, [x!], { type: 'int64', shape }, { axis: reduced!, keepdims: 0 }), 'int32')
  }
}

interface ScanAttributes {
  readonly axis: number
  readonly exclusive: boolean
  readonly reverse: boolean
}

const cumsum: Lowering<ScanAttributes> = (g, { x }, { axis, exclusive, reverse }) => {
  const attributes = { exclusive: Number(exclusive), reverse: Number(reverse) }
  const axisInput = reshape(g, g.int32s(Int32Array.of(axis), [1]), [])
  return g.op('CumSum', [x!, axisInput], { type: x!.type, shape: x!.shape }, attributes)
}

/** Longest axis along which a running product is written out (ONNX has no operator for it). */
const CUMPROD_LIMIT = 64

const cumprod: Lowering<ScanAttributes> = (g, { x }, { axis, exclusive, reverse }) => {
  const count = x!.shape[axis]!
  if (count > CUMPROD_LIMIT) throw unsupported('Cumprod', `axes longer than ${CUMPROD_LIMIT}`)
  const parts = split(g, x!, Array<number>(count).fill(1), axis)
  const products = runningProducts(g, reverse ? parts.toReversed() : parts, exclusive)
  return concat(g, reverse ? products.toReversed() : products, axis)
}

function runningProducts(g: Graph, parts: readonly Value[], exclusive: boolean): Value[] {
  const products: Value[] = []
  let product = g.splat(1, parts[0]!.shape, parts[0]!.type)
  for (const part of parts) {
    const next = binary(g, 'Mul', product, part)
    products.push(exclusive ? product : next)
    product = next
  }
  return products
}

const reverse: Lowering<{ dims: number | readonly number[] }> = (g, { x }, { dims }) => {
  const axes = axesOf(dims, x!.shape.length)
  const begin = x!.shape.map((size, axis) => (axes.includes(axis) ? size - 1 : 0))
  const steps = x!.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1))
  return slice(g, x!, begin, x!.shape, steps)
}

export const REDUCTIONS: Lowerings = {
  Sum: reduction('ReduceSum'),
  Mean: mean,
  Max: max,
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  All: logicalReduction('ReduceMin'),
  Any: logicalReduction('ReduceMax'),
  ArgMax: argReduction('ArgMax'),
  ArgMin: argReduction('ArgMin'),
  Cumsum: cumsum,
  Cumprod: cumprod,
  Reverse: reverse,
}
