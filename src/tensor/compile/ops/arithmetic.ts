import { binary, cast, unary, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { splatOf } from '../graph.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { listOf } from './lowering.ts'

function unaryOp(op: string): Lowering {
  return (g, { x }) => unary(g, op, x!)
}

function binaryOp(op: string): Lowering {
  return (g, { a, b }) => binary(g, op, a!, b!)
}

function square(g: Graph, x: Value): Value {
  return binary(g, 'Mul', x, x)
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
  return binary(g, 'Pow', base, exponent)
}

/** exp(x) - 1 without cancellation near 0: tanh(x/2) (exp(x) + 1). */
function expm1(g: Graph, x: Value): Value {
  const half = binary(g, 'Mul', x, g.splat(0.5))
  return binary(g, 'Mul', unary(g, 'Tanh', half), binary(g, 'Add', unary(g, 'Exp', x), g.splat(1)))
}

/** log(1 + x) without losing small x: with u = 1 + x rounded, x log(u) / (u - 1), and x itself where u = 1. */
function log1p(g: Graph, x: Value): Value {
  const u = binary(g, 'Add', x, g.splat(1))
  const isOne = binary(g, 'Equal', u, g.splat(1))
  const rest = where(g, isOne, g.splat(1), binary(g, 'Sub', u, g.splat(1)))
  const scaled = binary(g, 'Mul', x, binary(g, 'Div', unary(g, 'Log', u), rest))
  return where(g, isOne, x, scaled)
}

/** Floored quotient; for int32 too, where ONNX truncates. */
function floorDiv(g: Graph, a: Value, b: Value): Value {
  const quotient = binary(g, 'Div', cast(g, a, 'float32'), cast(g, b, 'float32'))
  return cast(g, unary(g, 'Floor', quotient), a.type)
}

/** Remainder with the divisor's sign. */
function modulo(g: Graph, a: Value, b: Value): Value {
  return binary(g, 'Sub', a, binary(g, 'Mul', floorDiv(g, a, b), b))
}

/** The angle of (x, y): atan(y/x), half a turn further where x < 0, and a quarter turn (or 0 at the origin) where x = 0. */
function atan2(g: Graph, y: Value, x: Value): Value {
  const zero = g.splat(0)
  const onAxis = binary(g, 'Equal', x, zero)
  const principal = unary(g, 'Atan', binary(g, 'Div', y, where(g, onAxis, g.splat(1), x)))
  const half = where(g, binary(g, 'Less', y, zero), g.splat(-Math.PI), g.splat(Math.PI))
  const left = binary(g, 'Add', principal, where(g, binary(g, 'Less', x, zero), half, zero))
  return where(g, onAxis, binary(g, 'Mul', unary(g, 'Sign', y), g.splat(Math.PI / 2)), left)
}

function isInfinite(g: Graph, x: Value): Value {
  return binary(g, 'Equal', unary(g, 'Abs', x), g.splat(Infinity))
}

const realDiv: Lowering = (g, { a, b }) => binary(g, 'Div', cast(g, a!, 'float32'), cast(g, b!, 'float32'))

export const ARITHMETIC: Lowerings = {
  Add: binaryOp('Add'),
  AddN: (g, operands) => listOf(operands).reduce((sum, x) => binary(g, 'Add', sum, x)),
  Sub: binaryOp('Sub'),
  Multiply: binaryOp('Mul'),
  RealDiv: realDiv,
  FloorDiv: (g, { a, b }) => floorDiv(g, a!, b!),
  Mod: (g, { a, b }) => modulo(g, a!, b!),
  Maximum: binaryOp('Max'),
  Minimum: binaryOp('Min'),
  SquaredDifference: (g, { a, b }) => square(g, binary(g, 'Sub', a!, b!)),
  Pow: (g, { a, b }) => power(g, a!, b!),
  Neg: unaryOp('Neg'),
  Abs: unaryOp('Abs'),
  Sign: unaryOp('Sign'),
  Square: (g, { x }) => square(g, x!),
  Sqrt: unaryOp('Sqrt'),
  Rsqrt: (g, { x }) => unary(g, 'Reciprocal', unary(g, 'Sqrt', x!)),
  Reciprocal: unaryOp('Reciprocal'),
  Exp: unaryOp('Exp'),
  Expm1: (g, { x }) => expm1(g, x!),
  Log: unaryOp('Log'),
  Log1p: (g, { x }) => log1p(g, x!),
  Sin: unaryOp('Sin'),
  Cos: unaryOp('Cos'),
  Tan: unaryOp('Tan'),
  Asin: unaryOp('Asin'),
  Acos: unaryOp('Acos'),
  Atan: unaryOp('Atan'),
  Atan2: (g, { a, b }) => atan2(g, a!, b!),
  Sinh: unaryOp('Sinh'),
  Cosh: unaryOp('Cosh'),
  Erf: unaryOp('Erf'),
  Floor: unaryOp('Floor'),
  Ceil: unaryOp('Ceil'),
  Round: unaryOp('Round'),

  Equal: binaryOp('Equal'),
  NotEqual: (g, { a, b }) => unary(g, 'Not', binary(g, 'Equal', a!, b!)),
  Greater: binaryOp('Greater'),
  GreaterEqual: binaryOp('GreaterOrEqual'),
  Less: binaryOp('Less'),
  LessEqual: binaryOp('LessOrEqual'),
  LogicalAnd: binaryOp('And'),
  LogicalOr: binaryOp('Or'),
  LogicalNot: unaryOp('Not'),
  IsNan: (g, { x }) => unary(g, 'Not', binary(g, 'Equal', x!, x!)),
  IsInf: (g, { x }) => isInfinite(g, x!),
  IsFinite: (g, { x }) => binary(g, 'Less', unary(g, 'Abs', x!), g.splat(Infinity)),
  Select: (g, { condition, t, e }) => where(g, condition!, t!, e!),
}
