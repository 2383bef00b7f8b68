import type { Graph, Value } from './graph.ts'
import { broadcastShape, inputsOf, sameShape, splatOf } from './graph.ts'
import { biasedConvolution, channelBlocks, fromBlocks, FROM_BLOCKS, isFromBlocks, toBlocks } from './blocks.ts'
import { expand, reshape, transpose, unexpanded } from './movement.ts'
import type { Attribute, ValueType } from './onnx-model.ts'
import { DATA_TYPE } from './onnx-model.ts'
import { belowMovement } from './sink.ts'

/** What an ONNX operator does to numbers, where that is worth knowing at compile time. */
const UNARY_ON_NUMBERS: Readonly<Record<string, (x: number) => number>> = {
  Neg: (x) => -x,
  Abs: Math.abs,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x,
  Floor: Math.floor,
  Not: (x) => 1 - x,
}

const BINARY_ON_NUMBERS: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
  Pow: Math.pow,
  Max: Math.max,
  Min: Math.min,
}

const COMPARISONS: ReadonlySet<string> = new Set(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'])

/** Applies an element-wise ONNX operator; a broadcast stays outside, so that the work is done before it. */
export function unary(
  g: Graph,
  op: string,
  x: Value,
  attributes: Readonly<Record<string, Attribute>> = {},
  type: ValueType = x.type,
): Value {
  const number = splatOf(x)
  const onNumber = UNARY_ON_NUMBERS[op]
  if (number !== undefined && onNumber !== undefined) return g.splat(onNumber(number), x.shape, type)
  // Below a reshape the operator stands next to the matrix product that it may be fused with.
  const flat = inputsOf(x, 'Reshape')?.[0]
  if (flat !== undefined) return reshape(g, unary(g, op, flat, attributes, type), x.shape)
  if (isFromBlocks(x)) return transpose(g, unary(g, op, x.node!.inputs[0]!, attributes, type), FROM_BLOCKS)
  const fusable = belowMovement(g, x, undefined, (source) => unary(g, op, source, attributes, type))
  if (fusable !== undefined) return fusable
  const narrow = unexpanded(g, x)
  return expand(g, g.op(op, [narrow], { type, shape: narrow.shape }, attributes), x.shape)
}

/** Applies an element-wise ONNX operator with broadcasting: folds numbers, drops neutral operands, delays broadcasts. */
export function binary(g: Graph, op: string, a: Value, b: Value): Value {
  const shape = broadcastShape(a.shape, b.shape)
  const [x, y] = [splatOf(a), splatOf(b)]
  const onNumbers = BINARY_ON_NUMBERS[op]
  const integerDivision = op === 'Div' && a.type !== 'float32'
  if (x !== undefined && y !== undefined && onNumbers !== undefined && !integerDivision) {
    return g.splat(onNumbers(x, y), shape, a.type)
  }
  const neutral = withoutNeutralOperand(op, a, b)
  if (neutral !== undefined) return expand(g, neutral, shape)
  if (op === 'Div' && y !== undefined && isPowerOfTwo(y) && a.type === 'float32') {
    return binary(g, 'Mul', a, g.splat(1 / y, b.shape))
  }
  const biased = op === 'Add' ? (addBelow(g, a, b) ?? addBelow(g, b, a)) : undefined
  if (biased !== undefined) return biased
  const inBlocks = belowBlocks(g, op, a, b)
  if (inBlocks !== undefined) return inBlocks
  const flat = belowReshape(g, op, a, b)
  if (flat !== undefined) return expand(g, flat, shape)
  const [left, right] = [unexpanded(g, a), unexpanded(g, b)]
  const type = COMPARISONS.has(op) ? 'bool' : a.type
  const result = g.op(op, [left, right], { type, shape: broadcastShape(left.shape, right.shape) })
  return expand(g, result, shape)
}

/** Multiplying by the reciprocal of such a number gives the very quotient, bit by bit. */
function isPowerOfTwo(y: number): boolean {
  return Number.isInteger(Math.log2(Math.abs(y))) && Math.abs(y) >= 2 ** -126 && Math.abs(y) <= 2 ** 126
}

/** x + bias, with the bias added before the elements of `x` were moved to their places. */
function addBelow(g: Graph, x: Value, bias: Value): Value | undefined {
  const convolution = biasedConvolution(g, x, bias)
  if (convolution !== undefined) return convolution
  const isVector = bias.shape.length === 1 && bias.shape[0] === x.shape.at(-1) && splatOf(bias) === undefined
  if (!isVector || x.shape.length < 2) return undefined
  return belowMovement(g, x, bias, (source, vector) => binary(g, 'Add', source, vector!))
}

/** The images of what is computed in blocks, where one operand comes from there and the other can go there. */
function belowBlocks(g: Graph, op: string, a: Value, b: Value): Value | undefined {
  for (const [x, y] of [
    [a, b],
    [b, a],
  ] as const) {
    const narrow = unexpanded(g, y)
    const compute = (source: Value, other: Value): Value =>
      x === a ? binary(g, op, source, other) : binary(g, op, other, source)
    if (isFromBlocks(x) && narrow.shape.length === 0) {
      return transpose(g, compute(x.node!.inputs[0]!, narrow), FROM_BLOCKS)
    }
    const blocks = channelBlocks(x)
    const fits = narrow.shape.length === 4 && narrow.shape[3] === x.shape[3]
    if (blocks !== undefined && fits && sameShape(broadcastShape(x.shape, y.shape), x.shape)) {
      return fromBlocks(g, compute(blocks, toBlocks(g, narrow)))
    }
  }
  return undefined
}

/** The result in the shape of the reshaped operand (`a` or `b`, or both), computed before the reshape. */
function belowReshape(g: Graph, op: string, a: Value, b: Value): Value | undefined {
  const [left, right] = [inputsOf(a, 'Reshape')?.[0], inputsOf(b, 'Reshape')?.[0]]
  if (left !== undefined && right !== undefined && sameShape(a.shape, b.shape) && sameShape(left.shape, right.shape)) {
    return reshape(g, binary(g, op, left, right), a.shape)
  }
  const [narrowA, narrowB] = [unexpanded(g, a), unexpanded(g, b)]
  if (left !== undefined && broadcastsAlongLastAxis(narrowB, a, left)) {
    return reshape(g, binary(g, op, left, narrowB), a.shape)
  }
  if (right !== undefined && broadcastsAlongLastAxis(narrowA, b, right)) {
    return reshape(g, binary(g, op, narrowA, right), b.shape)
  }
  return undefined
}

/** Whether `vector` (a number, or one per channel) meets the elements of `reshaped` and of its source `flat` alike. */
function broadcastsAlongLastAxis(vector: Value, reshaped: Value, flat: Value): boolean {
  if (vector.shape.length === 0) return true
  if (vector.shape.length !== 1 || flat.shape.length === 0) return false
  return vector.shape[0] === 1 || (vector.shape[0] === reshaped.shape.at(-1) && vector.shape[0] === flat.shape.at(-1))
}

function withoutNeutralOperand(op: string, a: Value, b: Value): Value | undefined {
  const [x, y] = [splatOf(a), splatOf(b)]
  if ((op === 'Add' || op === 'Sub') && y === 0) return a
  if (op === 'Add' && x === 0) return b
  if ((op === 'Mul' || op === 'Div') && y === 1) return a
  if (op === 'Mul' && x === 1) return b
  return undefined
}

/** `condition ? a : b`, element by element with broadcasting. */
export function where(g: Graph, condition: Value, a: Value, b: Value): Value {
  // ONNX Runtime has no Where for booleans.
  if (a.type === 'bool') return cast(g, where(g, condition, cast(g, a, 'uint8'), cast(g, b, 'uint8')), 'bool')
  const shape = broadcastShape(condition.shape, broadcastShape(a.shape, b.shape))
  const operands = [condition, a, b].map((operand) => unexpanded(g, operand))
  const narrow = operands.map((operand) => operand.shape).reduce(broadcastShape)
  return expand(g, g.op('Where', operands, { type: a.type, shape: narrow }), shape)
}

/**
 * Converts the element type; conversions that lose nothing on the way are skipped (uint8 -> int32 -> float32). Floats become
 * int32 as in typed arrays: cut off, NaN and infinities as 0, beyond 32 bits modulo 2^32.
 */
export function cast(g: Graph, x: Value, type: ValueType): Value {
  if (x.type === type) return x
  const number = splatOf(x)
  if (number !== undefined && type !== 'bool')
    return g.splat(isFloat(type) ? number : Math.trunc(number), x.shape, type)
  if (number !== undefined) return g.splat(number === 0 ? 0 : 1, x.shape, type)
  const source = inputsOf(x, 'Cast')?.[0]
  if (source !== undefined && isLossless(source.type, x.type)) return cast(g, source, type)
  const flat = inputsOf(x, 'Reshape')?.[0]
  if (flat !== undefined) return reshape(g, cast(g, flat, type), x.shape)
  if (isFromBlocks(x)) return transpose(g, cast(g, x.node!.inputs[0]!, type), FROM_BLOCKS)
  if (isFloat(x.type) && type === 'int32') return wrapped(g, x)
  const narrow = unexpanded(g, x)
  return expand(g, g.op('Cast', [narrow], { type, shape: narrow.shape }, { to: DATA_TYPE[type] }), x.shape)
}

/**
 * Floats as int32, via int64: that takes NaN and what is out of its range to -2^63, whose lower half is 0. Without the mask ONNX
 * Runtime would make one cast of the two.
 */
function wrapped(g: Graph, x: Value): Value {
  const wide = cast(g, x, 'int64')
  const lower = binary(g, 'BitwiseAnd', wide, g.splat(2 ** 32 - 1, [], 'int64'))
  return cast(g, lower, 'int32')
}

function isFloat(type: ValueType): boolean {
  return type === 'float32' || type === 'float64'
}

function isLossless(from: ValueType, to: ValueType): boolean {
  if (from === 'bool') return true
  if (from === 'uint8') return to !== 'bool'
  if (from === 'float32') return to === 'float64'
  return from === 'int32' && (to === 'int64' || to === 'float64')
}
