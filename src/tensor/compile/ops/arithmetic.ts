import { binary, cast, unary, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { broadcastShape, splatOf } from '../graph.ts'
import { log, multiply } from '../tails.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { countingBooleans, listOf, mapLowerings, throughFloat } from './lowering.ts'

function unaryOp(op: string): Lowering {
  return (g, { x }) => unary(g, op, x!)
}

function binaryOp(op: string): Lowering {
  return (g, { a, b }) => binary(g, op, a!, b!)
}

function square(g: Graph, x: Value): Value {
  return binary(g, 'Mul', x, x)
}

/** In float64, so that int32 wraps around as in TF.js instead of stopping at the smallest number. */
function integerPower(g: Graph, base: Value, exponent: Value): Value {
  return cast(g, binary(g, 'Pow', cast(g, base, 'float64'), cast(g, exponent, 'float64')), 'int32')
}

/** ONNX Runtime's Pow is slow but for a few exponents, and those that occur in gradients have cheaper forms. */
function power(g: Graph, base: Value, exponent: Value): Value {
  const sqrt = (): Value => unary(g, 'Sqrt', base)
  if (base.type === 'float32') {
    switch (splatOf(exponent)) {
      case 1:
        return binary(g, 'Mul', base, g.splat(1, exponent.shape))
      case 2:
        return binary(g, 'Mul', square(g, base), g.splat(1, exponent.shape))
      case 0.5:
        return binary(g, 'Mul', sqrt(), g.splat(1, exponent.shape))
      case 1.5:
        return binary(g, 'Mul', base, binary(g, 'Mul', sqrt(), g.splat(1, exponent.shape)))
    }
  }
  return base.type === 'int32' ? integerPower(g, base, exponent) : binary(g, 'Pow', base, exponent)
}

/** exp(x) - 1 without cancellation near 0: tanh(x/2) (exp(x) + 1). */
function expm1(g: Graph, x: Value): Value {
  const half = binary(g, 'Mul', x, g.splat(0.5))
  return binary(g, 'Mul', unary(g, 'Tanh', half), binary(g, 'Add', unary(g, 'Exp', x), g.splat(1)))
}

/** log(1 + x) without losing small x: with u = 1 + x rounded, x log(u) / (u - 1), and x itself where u = 1 (or infinite). */
function log1p(g: Graph, x: Value): Value {
  const u = binary(g, 'Add', x, g.splat(1))
  const isExact = binary(g, 'Or', binary(g, 'Equal', u, g.splat(1)), binary(g, 'Equal', u, g.splat(Infinity)))
  const rest = where(g, isExact, g.splat(1), binary(g, 'Sub', u, g.splat(1)))
  const scaled = binary(g, 'Mul', x, binary(g, 'Div', unary(g, 'Log', u), rest))
  return where(g, isExact, x, scaled)
}

/** Floored quotient as int32, in float64 as in TF.js: neither large integers nor quotients next to a whole number are rounded. */
const floorDiv: Lowering = (g, { a, b }) => {
  const quotient = binary(g, 'Div', cast(g, a!, 'float64'), cast(g, b!, 'float64'))
  return cast(g, unary(g, 'Floor', quotient), 'int32')
}

/** Remainder with the divisor's sign, exact, in float64. */
const modulo: Lowering = (g, { a, b }) => {
  const [x, y] = [cast(g, a!, 'float64'), cast(g, b!, 'float64')]
  const zero = g.splat(0, [], 'float64')
  const remainder = (dividend: Value): Value => {
    const shape = broadcastShape(dividend.shape, y.shape)
    return g.op('Mod', [dividend, y], { type: 'float64', shape }, { fmod: 1 })
  }
  const rest = remainder(x)
  const negatives = [x, y].map((value) => binary(g, 'Less', value, zero)) as [Value, Value]
  const sameSign = unary(g, 'Not', binary(g, 'Xor', ...negatives))
  return cast(g, where(g, sameSign, rest, remainder(binary(g, 'Add', rest, y))), a!.type)
}

/** The angle of (x, y) in (-pi, pi], from that of (|x|, |y|): also on the axes, at the origin and at infinity. */
const atan2: Lowering = (g, { a: y, b: x }) => {
  const zero = g.splat(0)
  const [height, width] = [unary(g, 'Abs', y!), unary(g, 'Abs', x!)]
  const isFlat = binary(g, 'And', binary(g, 'Equal', height, zero), binary(g, 'Equal', width, width))
  const slope = where(g, binary(g, 'Equal', height, width), g.splat(1), binary(g, 'Div', height, width))
  const acute = unary(g, 'Atan', where(g, isFlat, zero, slope))
  const upper = where(g, isNegative(g, x!), binary(g, 'Sub', g.splat(Math.PI), acute), acute)
  return where(g, isNegative(g, y!), unary(g, 'Neg', upper), upper)
}

/** Below 0, or -0. */
function isNegative(g: Graph, x: Value): Value {
  const zero = g.splat(0)
  return binary(g, 'Or', binary(g, 'Less', x, zero), binary(g, 'Less', unary(g, 'Reciprocal', x), zero))
}

/** TF.js: 0 for NaN. */
function sign(g: Graph, x: Value): Value {
  const result = unary(g, 'Sign', x)
  return x.type === 'float32' ? where(g, binary(g, 'Equal', x, x), result, g.splat(0)) : result
}

/** A test of floats; integers give `ofIntegers` throughout. */
function testOfFloats(ofIntegers: 0 | 1, test: (g: Graph, x: Value) => Value): Lowering {
  return (g, { x }) => (x!.type === 'float32' ? test(g, x!) : g.splat(ofIntegers, x!.shape, 'bool'))
}

const realDiv: Lowering = (g, { a, b }) => binary(g, 'Div', cast(g, a!, 'float32'), cast(g, b!, 'float32'))

/** Functions of floats: what int32 operands give is cut off to int32. */
const FLOAT_FUNCTIONS: Lowerings = {
  Reciprocal: unaryOp('Reciprocal'),
  Expm1: (g, { x }) => expm1(g, x!),
  Log1p: (g, { x }) => log1p(g, x!),
  Asin: unaryOp('Asin'),
  Acos: unaryOp('Acos'),
  Atan: unaryOp('Atan'),
  Atan2: atan2,
  Sinh: unaryOp('Sinh'),
  Asinh: unaryOp('Asinh'),
  Acosh: unaryOp('Acosh'),
  Atanh: unaryOp('Atanh'),
}

const COUNTING: Lowerings = {
  ...mapLowerings(FLOAT_FUNCTIONS, (lowering) => throughFloat(lowering, true)),
  Exp: throughFloat(unaryOp('Exp'), false),
  Add: binaryOp('Add'),
  AddN: (g, operands) => listOf(operands).reduce((sum, x) => binary(g, 'Add', sum, x)),
  Sub: binaryOp('Sub'),
  Multiply: (g, { a, b }) => multiply(g, a!, b!),
  RealDiv: realDiv,
  FloorDiv: floorDiv,
  Mod: modulo,
  Maximum: binaryOp('Max'),
  Minimum: binaryOp('Min'),
  SquaredDifference: (g, { a, b }) => square(g, binary(g, 'Sub', a!, b!)),
  Pow: (g, { a, b }) => power(g, a!, b!),
  Neg: unaryOp('Neg'),
  Abs: unaryOp('Abs'),
  Sign: (g, { x }) => sign(g, x!),
  Square: (g, { x }) => square(g, x!),
  Sqrt: unaryOp('Sqrt'),
  Rsqrt: (g, { x }) => unary(g, 'Reciprocal', unary(g, 'Sqrt', x!)),
  Log: (g, { x }) => log(g, x!),
  Sin: unaryOp('Sin'),
  Cos: unaryOp('Cos'),
  Tan: unaryOp('Tan'),
  Cosh: unaryOp('Cosh'),
  Erf: unaryOp('Erf'),
  Floor: unaryOp('Floor'),
  Ceil: unaryOp('Ceil'),
  Round: (g, { x }) => (x!.type === 'int32' ? x! : unary(g, 'Round', x!)),
  BitwiseAnd: binaryOp('BitwiseAnd'),
  Greater: binaryOp('Greater'),
  GreaterEqual: binaryOp('GreaterOrEqual'),
  Less: binaryOp('Less'),
  LessEqual: binaryOp('LessOrEqual'),
}

export const ARITHMETIC: Lowerings = {
  ...mapLowerings(COUNTING, countingBooleans),
  Equal: binaryOp('Equal'),
  NotEqual: (g, { a, b }) => unary(g, 'Not', binary(g, 'Equal', a!, b!)),
  LogicalAnd: binaryOp('And'),
  LogicalOr: binaryOp('Or'),
  LogicalNot: unaryOp('Not'),
  IsNan: testOfFloats(0, (g, x) => unary(g, 'Not', binary(g, 'Equal', x, x))),
  IsInf: testOfFloats(0, (g, x) => binary(g, 'Equal', unary(g, 'Abs', x), g.splat(Infinity))),
  IsFinite: testOfFloats(1, (g, x) => binary(g, 'Less', unary(g, 'Abs', x), g.splat(Infinity))),
  Select: (g, { condition, t, e }) => where(g, condition!, t!, e!),
}
