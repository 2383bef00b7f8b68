/** Random programs over ops, element types, shapes and broadcasts: what the fuzz test runs on every engine. */
import type { NdArray } from '../../../src/core/ndarray.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { array } from '../numerics.ts'

/** A tensor of the program. */
export interface Item {
  readonly tensor: tf.Tensor
  /** Whether every engine has exactly these numbers: only such may be compared, floored, sorted. */
  readonly isExact: boolean
  /** Whether it depends on the inputs without kinks or steps, so that finite differences tell its gradient. */
  readonly isSmooth: boolean
}

/** Numbers that stand for decisions, one after the other; 0 when they run out, which makes shrinking simple. */
class Choices {
  readonly #numbers: readonly number[]
  #next = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  below(count: number): number {
    return (this.#numbers[this.#next++] ?? 0) % count
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  get isEmpty(): boolean {
    return this.#next >= this.#numbers.length
  }
}

type Floats = readonly Item[]
type Step = (choose: Choices, pool: Floats) => Item | undefined

const SHAPES = [[2, 3], [3], [], [1, 3], [2, 1], [2, 3, 4], [1], [2, 1, 4], [4, 3], [1, 1, 2], [3, 3], [2, 4, 1]]

/** Shapes and numbers of the inputs: multiples of 1/8, so that sums and products of a few are exact. */
export function inputsOf(numbers: readonly number[]): Record<string, NdArray> {
  const choose = new Choices(numbers)
  const make = (i: number): NdArray => {
    const shape = choose.of(SHAPES)
    const size = shape.reduce((product, n) => product * n, 1)
    return array(
      Array.from({ length: size }, (_, k) => (((k * 7 + i * 5 + choose.below(23)) % 25) - 12) / 8 + 1 / 16),
      shape,
    )
  }
  return { x0: make(0), x1: make(1), x2: make(2) }
}

function item(tensor: tf.Tensor, from: Floats, change: Partial<Item> = {}): Item {
  const isExact = from.every((source) => source.isExact)
  return { tensor, isExact, isSmooth: from.every((source) => source.isSmooth), ...change }
}

function unary(fn: (x: tf.Tensor) => tf.Tensor, change: Partial<Item> = { isExact: false }): Step {
  return (choose, pool) => {
    const x = choose.of(pool)
    return x.tensor.rank > 4 ? undefined : item(fn(x.tensor), [x], change)
  }
}

/** For functions with steps: of exact numbers alone. */
function stepped(fn: (x: tf.Tensor, choose: Choices) => tf.Tensor): Step {
  return (choose, pool) => {
    const x = choose.of(pool)
    return x.isExact ? item(fn(x.tensor, choose), [x], { isSmooth: false }) : undefined
  }
}

function broadcasts(a: tf.Tensor, b: tf.Tensor): boolean {
  const rank = Math.max(a.rank, b.rank)
  const sizes = Array.from({ length: rank }, (_, i) => [a.shape.at(i - rank), b.shape.at(i - rank)])
  const at = (shape: number[], i: number): number => shape[shape.length - rank + i] ?? 1
  return sizes.every((_, i) => at(a.shape, i) === at(b.shape, i) || at(a.shape, i) === 1 || at(b.shape, i) === 1)
}

function binary(fn: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, change: Partial<Item> = { isExact: false }): Step {
  return (choose, pool) => {
    const [a, b] = [choose.of(pool), choose.of(pool)]
    return broadcasts(a.tensor, b.tensor) ? item(fn(a.tensor, b.tensor), [a, b], change) : undefined
  }
}

/** For functions with steps, of two exact operands. */
function compared(fn: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Step {
  return (choose, pool) => {
    const [a, b] = [choose.of(pool), choose.of(pool)]
    const fits = a.isExact && b.isExact && broadcasts(a.tensor, b.tensor)
    return fits ? item(fn(a.tensor, b.tensor), [a, b], { isSmooth: false }) : undefined
  }
}

type Reduction = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor

function reduced(fn: Reduction, change: Partial<Item> = { isExact: false }): Step {
  return (choose, pool) => {
    const x = choose.of(pool)
    const axis = choose.below(x.tensor.rank + 1) - 1
    return item(fn(x.tensor, axis < 0 ? undefined : axis, choose.below(2) === 1), [x], change)
  }
}

function steppedReduction(fn: Reduction): Step {
  const step = reduced(fn, { isSmooth: false })
  return (choose, pool) => {
    const exact = pool.filter(({ isExact }) => isExact)
    return exact.length === 0 ? undefined : step(choose, exact)
  }
}

function moved(fn: (x: tf.Tensor, choose: Choices) => tf.Tensor | undefined): Step {
  return (choose, pool) => {
    const x = choose.of(pool)
    const result = fn(x.tensor, choose)
    return result === undefined ? undefined : item(result, [x])
  }
}

function divisors(size: number): number[] {
  return Array.from({ length: size }, (_, i) => i + 1).filter((n) => size % n === 0)
}

function asFloat(x: tf.Tensor): tf.Tensor {
  return tf.cast(x, 'float32')
}

function someAxis(x: tf.Tensor, choose: Choices): number | undefined {
  return x.rank === 0 ? undefined : choose.below(x.rank)
}

function onAxis(fn: (x: tf.Tensor, axis: number, choose: Choices) => tf.Tensor): Step {
  return moved((x, choose) => {
    const axis = someAxis(x, choose)
    return axis === undefined ? undefined : fn(x, axis, choose)
  })
}

const INEXACT = { isExact: false }
const bounded = (x: tf.Tensor): tf.Tensor => tf.mul(tf.tanh(x), 2)

const STEPS: Record<string, Step> = {
  add: binary(tf.add, {}),
  sub: binary(tf.sub, {}),
  mul: binary(tf.mul),
  div: binary((a, b) => tf.div(a, tf.add(tf.square(b), 0.5))),
  divByNumber: unary((x) => tf.div(x, 3)),
  maximum: compared(tf.maximum),
  minimum: compared(tf.minimum),
  squaredDifference: binary(tf.squaredDifference),
  pow: binary((a, b) => tf.pow(tf.add(tf.square(a), 0.5), bounded(b))),
  atan2: binary((a, b) => tf.atan2(a, tf.add(tf.square(b), 0.5))),
  neg: unary(tf.neg, {}),
  exp: unary((x) => tf.exp(bounded(x))),
  log: unary((x) => tf.log(tf.add(tf.square(x), 0.3))),
  sqrt: unary((x) => tf.sqrt(tf.add(tf.square(x), 0.3))),
  tanh: unary(tf.tanh),
  sigmoid: unary(tf.sigmoid),
  logSigmoid: unary((x) => tf.log(tf.sigmoid(x))),
  softplus: unary(tf.softplus),
  elu: unary(tf.elu),
  erf: unary(tf.erf),
  log1p: unary((x) => tf.log1p(tf.square(x))),
  sin: unary(tf.sin),
  rsqrt: unary((x) => tf.rsqrt(tf.add(tf.square(x), 0.4))),
  relu: unary(tf.relu, { isExact: false, isSmooth: false }),
  leakyRelu: unary((x) => tf.leakyRelu(x), { isExact: false, isSmooth: false }),
  clip: stepped((x) => tf.clipByValue(x, -0.7, 0.9)),
  abs: stepped(tf.abs),
  floor: stepped((x) => tf.add(tf.floor(x), x)),
  toInt: stepped((x) => asFloat(tf.cast(tf.mul(x, 3), 'int32'))),
  sign: stepped(tf.sign),
  intDivision: stepped((x) => asFloat(tf.floorDiv(tf.cast(tf.mul(x, 8), 'int32'), tf.scalar(3, 'int32')))),
  intMod: stepped((x) => asFloat(tf.mod(tf.cast(tf.mul(x, 8), 'int32'), tf.scalar(5, 'int32')))),
  mod: stepped((x) => tf.mod(x, 0.5)),
  greater: compared((a, b) => asFloat(tf.greater(a, b))),
  equal: compared((a, b) => asFloat(tf.equal(a, b))),
  logic: compared((a, b) => asFloat(tf.logicalOr(tf.greater(a, 0), tf.logicalNot(tf.lessEqual(b, a))))),
  booleanArithmetic: compared((a, b) => asFloat(tf.sub(tf.greater(a, 0), tf.greater(b, 0)))),
  where: compared((a, b) => tf.where(tf.greater(a, b), tf.mul(a, 2), b)),
  whereBooleans: compared((a, b) => asFloat(tf.where(tf.greater(a, b), tf.greater(a, 0), tf.less(b, 0.5)))),
  sum: reduced(tf.sum),
  mean: reduced(tf.mean),
  max: steppedReduction(tf.max),
  min: steppedReduction(tf.min),
  prod: reduced((x, axis, keepDims) => tf.prod(bounded(x), axis, keepDims)),
  norm: reduced((x, axis, keepDims) => tf.norm(tf.add(tf.square(x), 0.2), 2, axis, keepDims)),
  logSumExp: reduced((x, axis, keepDims) => tf.logSumExp(x, axis, keepDims)),
  anyAll: steppedReduction((x, axis, keep) => {
    const mask = tf.greater(x, 0)
    return tf.add(asFloat(tf.any(mask, axis, keep)), asFloat(tf.all(mask, axis, keep)))
  }),
  argMax: (choose, pool) => {
    const x = choose.of(pool)
    const axis = someAxis(x.tensor, choose)
    return x.isExact && axis !== undefined
      ? item(asFloat(tf.argMax(x.tensor, axis)), [x], { isSmooth: false })
      : undefined
  },
  oneHotArgMin: (choose, pool) => {
    const x = choose.of(pool)
    if (!x.isExact || (x.tensor.shape.at(-1) ?? 1) < 2) return undefined
    const index = tf.argMin(x.tensor, -1)
    return item(tf.mul(tf.oneHot(index, x.tensor.shape.at(-1)!, 1, 0, 'float32'), x.tensor), [x], { isSmooth: false })
  },
  softmax: unary((x) => (x.rank === 0 ? x : tf.softmax(x))),
  logSoftmax: unary((x) => (x.rank === 0 ? x : tf.logSoftmax(x))),
  logOfSoftmax: unary((x) => (x.rank === 0 ? x : tf.log(tf.softmax(x)))),
  reshape: moved((x, choose) => {
    const rows = choose.of(divisors(x.size))
    return tf.reshape(x, choose.of([[rows, -1], [-1], [rows, 1, -1], [1, rows, -1], [-1, 1]])) // prettier-ignore
  }),
  transpose: moved((x, choose) => {
    const start = x.rank === 0 ? 0 : choose.below(x.rank)
    const axes = Array.from({ length: x.rank }, (_, i) => (i + start) % x.rank)
    return tf.transpose(x, choose.below(2) === 0 ? axes : axes.toReversed())
  }),
  expandDims: moved((x, choose) => (x.rank > 3 ? undefined : tf.expandDims(x, choose.below(x.rank + 1)))),
  tile: onAxis((x, axis) => tf.tile(x, x.shape.map((_, i) => (i === axis ? 2 : 1)))), // prettier-ignore
  slice: onAxis((x, axis, choose) => {
    const begin = choose.below(x.shape[axis]!)
    const size = 1 + choose.below(x.shape[axis]! - begin)
    return tf.slice(x, x.shape.map((_, i) => (i === axis ? begin : 0)), x.shape.map((n, i) => (i === axis ? size : n))) // prettier-ignore
  }),
  reverse: onAxis((x, axis) => tf.reverse(x, axis)),
  gather: onAxis((x, axis, choose) => {
    const indices = [0, 1, 2].map(() => choose.below(x.shape[axis]!))
    return tf.gather(x, tf.tensor(indices, [3], 'int32'), axis)
  }),
  split: onAxis((x, axis, choose) => choose.of(tf.split(x, choose.of(divisors(x.shape[axis]!)), axis))),
  unstack: onAxis((x, axis, choose) => choose.of(tf.unstack(x, axis))),
  pad: onAxis((x, axis) => tf.pad(x, x.shape.map((_, i): [number, number] => (i === axis ? [1, 2] : [0, 0])))), // prettier-ignore
  concat: (choose, pool) => {
    const [a, b] = [choose.of(pool), choose.of(pool)]
    const same = a.tensor.rank > 0 && a.tensor.rank < 5 && a.tensor.shape.join() === b.tensor.shape.join()
    return same ? item(tf.concat([a.tensor, b.tensor], choose.below(a.tensor.rank)), [a, b]) : undefined
  },
  stack: (choose, pool) => {
    const [a, b] = [choose.of(pool), choose.of(pool)]
    const same = a.tensor.rank < 4 && a.tensor.shape.join() === b.tensor.shape.join()
    return same ? item(tf.stack([a.tensor, b.tensor], choose.below(a.tensor.rank + 1)), [a, b]) : undefined
  },
  cumsum: (choose, pool) => {
    const x = choose.of(pool)
    const axis = someAxis(x.tensor, choose)
    if (axis === undefined) return undefined
    return item(tf.cumsum(x.tensor, axis, choose.below(2) === 1, choose.below(2) === 1), [x], INEXACT)
  },
  topk: (choose, pool) => {
    const x = choose.of(pool)
    if (!x.isExact || x.tensor.rank === 0) return undefined
    const { values } = tf.topk(x.tensor, 1 + choose.below(x.tensor.shape.at(-1)!))
    return item(values, [x], { isSmooth: false })
  },
  matMul: (choose, pool) => {
    const [a, b] = [choose.of(pool), choose.of(pool)]
    if (a.tensor.rank < 2 || b.tensor.rank < 2 || a.tensor.rank > 4 || b.tensor.rank > 4) return undefined
    const [p, q] = [choose.below(2) === 1, choose.below(2) === 1]
    const fits = a.tensor.shape.at(p ? -2 : -1) === b.tensor.shape.at(q ? -1 : -2)
    const batches = [a, b].map(({ tensor }) => tf.zeros(tensor.shape.slice(0, -2)))
    const [left, right] = batches as [tf.Tensor, tf.Tensor]
    return fits && broadcasts(left, right) ? item(tf.matMul(a.tensor, b.tensor, p, q), [a, b], INEXACT) : undefined
  },
  products: (choose, pool) => {
    const x = choose.of(pool)
    const turned = choose.below(2) === 1
    if (x.tensor.rank !== 2 && x.tensor.rank !== 3) return undefined
    return item(tf.matMul(x.tensor, x.tensor, turned, !turned), [x], INEXACT)
  },
  convolution: (choose, pool) => {
    const x = choose.of(pool)
    if (x.tensor.size < 6 || x.tensor.size % 3 !== 0) return undefined
    const images = tf.reshape(x.tensor, [1, 3, -1, 1]) as tf.Tensor4D
    const filter = tf.tensor([0.5, -1, 0.25, 0.75, 1, -0.5, 0.125, 0.3], [2, 2, 1, 2]) as tf.Tensor4D
    const dilation = 1 + choose.below(2)
    return item(tf.conv2d(images, filter, 1, 'same', 'NHWC', dilation), [x], INEXACT)
  },
  stopGradient: moved((x) => tf.customGrad((y) => ({ value: tf.mul(y as tf.Tensor, 1), gradFunc: (dy) => dy }))(x)), // prettier-ignore
  layerNorm: unary((x) => {
    if (x.rank === 0) return x
    const { mean, variance } = tf.moments(x, -1, true)
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 0.1)))
  }),
  constant: binary((a, b) => tf.add(tf.mul(a, tf.fill(b.shape, 2)), tf.zerosLike(b)), {}),
  slope: (choose, pool) => {
    const x = choose.of(pool)
    const fn = choose.of([tf.tanh, tf.softplus, tf.sigmoid, tf.square, tf.elu, (y: tf.Tensor) => tf.exp(bounded(y))])
    return item(tf.grad((y) => tf.sum(tf.square((fn as (t: tf.Tensor) => tf.Tensor)(y))))(x.tensor), [x], INEXACT)
  },
}
const NAMES = Object.keys(STEPS)
const MOST_ELEMENTS = 200
const MOST_STEPS = 12

/** What the program makes of `inputs`: its last tensors, and which ops made them. */
export function interpret(numbers: readonly number[], inputs: readonly tf.Tensor[]): { items: Item[]; ops: string[] } {
  const choose = new Choices(numbers)
  const pool: Item[] = inputs.map((tensor) => ({ tensor, isExact: true, isSmooth: true }))
  const ops: string[] = []
  while (!choose.isEmpty && ops.length < MOST_STEPS) {
    const name = choose.of(NAMES)
    const made = STEPS[name]!(choose, pool)
    if (made === undefined || made.tensor.size > MOST_ELEMENTS || made.tensor.rank > 5) continue
    pool.push(made)
    ops.push(name)
  }
  return { items: pool.slice(-3), ops }
}
