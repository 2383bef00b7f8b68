import type { Reduction } from '../reduce.ts'
import { reduce } from '../reduce.ts'
import { sizeOf } from '../../../core/ndarray.ts'
import { binary, cast, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { splatOf } from '../graph.ts'
import { concat, expand, reshape, slice, split, unexpanded } from '../movement.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { axesOf, countingBooleans, unsupported } from './lowering.ts'

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

/** TF.js names the axes of Max alone differently. */
type ExtremumAttributes = AxisAttributes & { readonly reductionIndices?: number | readonly number[] }

/** The largest or smallest element, of booleans too; NaN where there is one, which ONNX Runtime's reductions may miss. */
function extremum(kind: 'ReduceMax' | 'ReduceMin'): Lowering<ExtremumAttributes> {
  return (g, { x }, { axis, reductionIndices, keepDims }) => {
    const axes = axesOf(reductionIndices ?? axis, x!.shape.length)
    if (x!.type === 'bool') return cast(g, reduce(g, kind, cast(g, x!, 'int32'), axes, keepDims), 'bool')
    const few = x!.type === 'float32' ? ofFew(g, kind, x!, axes) : undefined
    if (few !== undefined) return reshape(g, few, reducedShape(x!.shape, axes, keepDims))
    const result = reduce(g, kind, x!, axes, keepDims)
    if (x!.type !== 'float32' || splatOf(result) !== undefined) return result
    const source = unexpanded(g, x!)
    const isNumber = cast(g, expand(g, binary(g, 'Equal', source, source), x!.shape), 'float32')
    const allNumbers = cast(g, reduce(g, 'ReduceMin', isNumber, axes, keepDims), 'bool')
    return where(g, allNumbers, result, g.splat(NaN))
  }
}

/** So many slices are compared one by one: a reduction takes longer, and would have to look for NaN apart. */
const MOST_SLICES = 4

/** The extremum along one short axis, such as that of twin critics; undefined for others. */
function ofFew(g: Graph, kind: 'ReduceMax' | 'ReduceMin', x: Value, axes: readonly number[]): Value | undefined {
  const [axis, ...others] = axes
  if (axis === undefined || others.length > 0 || splatOf(x) !== undefined) return undefined
  const count = x.shape[axis]!
  if (count < 2 || count > MOST_SLICES || sizeOf(x.shape) === 0 || unexpanded(g, x) !== x) return undefined
  const parts = split(g, x, Array<number>(count).fill(1), axis)
  return parts.reduce((best, part) => binary(g, kind === 'ReduceMax' ? 'Max' : 'Min', best, part))
}

function reducedShape(shape: readonly number[], axes: readonly number[], keepDims = false): number[] {
  if (keepDims) return shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  return shape.filter((_, axis) => !axes.includes(axis))
}

/** Logical reductions as those of 0 and 1. */
function logicalReduction(kind: Reduction): Lowering<AxisAttributes> {
  return (g, { x }, { axis, keepDims }) => {
    const axes = axesOf(axis, x!.shape.length)
    if (sizeOf(x!.shape) === 0) return g.splat(0, reduce(g, kind, x!, axes, keepDims).shape, 'bool')
    return cast(g, reduce(g, kind, cast(g, x!, 'int32'), axes, keepDims), 'bool')
  }
}

/** The first of the largest or smallest elements. As in TF.js, NaN never wins, but for one that comes first. */
function argExtremum(op: 'ArgMax' | 'ArgMin'): Lowering<AxisAttributes> {
  return (g, { x }, { axis }) => {
    const reduced = axesOf(axis ?? 0, x!.shape.length)[0]!
    const shape = x!.shape.toSpliced(reduced, 1)
    const indexOf = (values: Value): Value =>
      cast(g, g.op(op, [values], { type: 'int64', shape }, { axis: reduced, keepdims: 0 }), 'int32')
    if (x!.type !== 'float32') return indexOf(cast(g, x!, 'int32'))
    const isNumber = binary(g, 'Equal', x!, x!)
    const worst = g.splat(op === 'ArgMax' ? -Infinity : Infinity)
    const begin = shape.map(() => 0)
    const first = slice(g, isNumber, [...begin, 0], x!.shape.with(reduced, 1))
    return where(g, reshape(g, first, shape), indexOf(where(g, isNumber, x!, worst)), g.splat(0, [], 'int32'))
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
  if (sizeOf(x!.shape) === 0) return x!
  const at = axis < 0 ? axis + x!.shape.length : axis
  const count = x!.shape[at]!
  if (count > CUMPROD_LIMIT) throw unsupported('Cumprod', `axes longer than ${CUMPROD_LIMIT}`)
  const parts = split(g, x!, Array<number>(count).fill(1), at)
  const products = runningProducts(g, reverse ? parts.toReversed() : parts, exclusive)
  return concat(g, reverse ? products.toReversed() : products, at)
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
  Max: extremum('ReduceMax') as Lowering,
  Min: extremum('ReduceMin') as Lowering,
  Prod: reduction('ReduceProd'),
  All: logicalReduction('ReduceMin'),
  Any: logicalReduction('ReduceMax'),
  ArgMax: argExtremum('ArgMax'),
  ArgMin: argExtremum('ArgMin'),
  Cumsum: countingBooleans(cumsum as Lowering),
  Cumprod: countingBooleans(cumprod as Lowering),
  Reverse: reverse,
}
