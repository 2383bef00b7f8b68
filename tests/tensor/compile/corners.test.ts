import { describe, expect, it } from 'vitest'
import type { NdArray } from '../../../src/core/ndarray.ts'
import { compile } from '../../../src/tensor/compile/program.ts'
import type { EngineName } from '../../../src/tensor/engine.ts'
import { startEngine } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { array, NATIVE_ENGINES } from '../numerics.ts'

type Inputs = Record<string, tf.Tensor>
type Fn = (inputs: Inputs) => tf.Tensor

function ints(values: readonly number[], shape: readonly number[] = [values.length]): NdArray<Int32Array> {
  return { data: Int32Array.from(values), shape }
}

async function run(engine: EngineName, fn: Fn, inputs: Record<string, NdArray>): Promise<NdArray> {
  await startEngine({ name: engine })
  const program = compile<string, string>('corner', (tensors) => ({ y: tf.reshape(fn(tensors), [1, -1]) }))
  try {
    return (await program.run(inputs))['y']!
  } finally {
    program.dispose()
  }
}

/** Equal element types, equal numbers within rounding, NaN and infinities in the same places. */
function expectSame(actual: NdArray, expected: NdArray, tolerance = 3e-6): void {
  expect(actual.data.constructor.name).toBe(expected.data.constructor.name)
  expect(actual.shape).toEqual(expected.shape)
  for (const [i, y] of expected.data.entries()) {
    const x = actual.data[i]!
    const same = Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance * Math.max(1e-2, Math.abs(y))
    expect(same, `element ${i}: ${x} instead of ${y}`).toBe(true)
  }
}

async function onAll(fn: Fn, inputs: Record<string, NdArray>): Promise<NdArray> {
  const expected = await run('js', fn, inputs)
  for (const engine of NATIVE_ENGINES) expectSame(await run(engine, fn, inputs), expected)
  return expected
}

/** Inputs have to be finite; numerator / denominator is not. */
const NUMERATORS = [1, -1, 0, 0, 0, 1.5, -1.5, 2.5, -2.5, 0.5, -0.5, 3, -3, 85, -85, 20, -20, 1e10, -1e10, 1e-3]
const STRANGE = { x: array(NUMERATORS), d: array(NUMERATORS.map((_, i) => [0, 0, 0, 1, -1][i] ?? 1)) }
const INTS = [0, 1, -1, 2, -3, 7, -7, 16777217, -16777219, 2147483647, -2147483647, 123456789, 4, 1000003]
const DIVISORS = [3, 2, 2, -3, 2, 3, 3, 1, 2, 2, 2, 2, 5, 0]
const SMALL_INTS = [0, 1, -1, 2, -3, 7, -7, 10, -12, 4]

/** Ops of TF.js by name. */
function named<F>(names: string): Record<string, F> {
  const ops = tf as unknown as Record<string, F>
  return Object.fromEntries(names.split(' ').map((name) => [name, ops[name]!]))
}

const UNARY: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  ...named(
    'neg abs sign square sqrt rsqrt exp reciprocal expm1 log log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf floor ceil round isNaN isInf isFinite relu relu6 elu leakyRelu selu sigmoid softplus logSigmoid',
  ),
  step: (x: tf.Tensor) => tf.step(x),
  clip: (x: tf.Tensor) => tf.clipByValue(x, -1, 2),
  toInt: (x: tf.Tensor) => tf.cast(x, 'int32'),
  toBool: (x: tf.Tensor) => tf.cast(x, 'bool'),
  toFloat: (x: tf.Tensor) => tf.cast(x, 'float32'),
}

/** What TF.js computes with fewer digits for int32 of this size than the engines do. */
const SMALL_INTS_ONLY = new Set(['square', 'softplus', 'logSigmoid', 'selu'])

/** TF.js takes these of floats alone. */
const FLOATS_ONLY = new Set(
  ['sqrt', 'rsqrt', 'log', 'sin', 'cos', 'tan', 'cosh', 'tanh', 'erf', 'floor', 'ceil', 'elu', 'sigmoid'], // prettier-ignore
)

describe('functions of one tensor agree on all engines', () => {
  it.each(Object.entries(UNARY))('%s', async (name, fn) => {
    await onAll(({ x, d }) => fn(tf.div(x!, d!)), STRANGE)
    if (FLOATS_ONLY.has(name)) return
    await onAll(({ i }) => fn(i!), { i: ints(SMALL_INTS_ONLY.has(name) ? SMALL_INTS : INTS) })
    if (name !== 'clip') await onAll(({ x }) => fn(tf.greater(x!, 0)), { x: array([1, -1, 2]) })
  })
})

const REDUCTIONS: Record<string, (x: tf.Tensor, axis: number) => tf.Tensor> = {
  ...named('sum mean max min prod argMax argMin softmax logSoftmax logSumExp'),
  cumsum: (x: tf.Tensor, axis: number) => tf.cumsum(x, axis),
  cumprod: (x: tf.Tensor, axis: number) => tf.cumprod(x, axis),
}

describe('what squashes', () => {
  it.each([
    ['tanh', -1],
    ['sigmoid', 0],
    ['erf', -1],
  ] as const)('by %s stays within its bounds, or actions would leave theirs', async (name, low) => {
    const x = array(Array.from({ length: 40_001 }, (_, i) => (i - 20_000) / 1000))
    for (const engine of NATIVE_ENGINES) {
      const y = await run(engine, (tensors) => UNARY[name]!(tensors['x']!), { x })
      expect(y.data.filter((value) => value < low || value > 1)).toHaveLength(0)
    }
  })
})

describe('functions along an axis agree on all engines', () => {
  const rows = [
    [NaN, 2, -3, 1],
    [1, NaN, 5, -3],
    [4, Infinity, 5, -Infinity],
    [NaN, NaN, NaN, NaN],
    [-Infinity, -Infinity, -1, NaN],
    [2, 2, 1, 1],
  ].flat()
  const numerator = rows.map((value) => (Number.isFinite(value) ? value : Number.isNaN(value) ? 0 : Math.sign(value)))
  const strange = {
    x: array(numerator, [6, 4]),
    d: array(
      rows.map((value) => (Number.isFinite(value) ? 1 : 0)),
      [6, 4],
    ),
  }
  it.each(Object.entries(REDUCTIONS))('%s', async (name, fn) => {
    await onAll(({ x, d }) => fn(tf.div(x!, d!), -1), strange)
    if (name === 'softmax') return
    await onAll(({ i }) => fn(i!, -1), { i: ints([3, -4, 7, 5, 6, -2], [2, 3]) })
    await onAll(({ x }) => fn(tf.greater(x!, 0), -1), { x: array([1, -1, 2, -1, -2, 3], [2, 3]) })
  })

  it('any and all', async () => {
    const x = array([1, -1, 2, 3], [2, 2])
    await onAll(({ x: t }) => tf.any(tf.greater(t!, 1), -1), { x })
    await onAll(({ x: t }) => tf.all(tf.greater(t!, 1), -1), { x })
  })
})

const BINARY: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
  ...named(
    'add sub mul div floorDiv mod maximum minimum pow squaredDifference atan2 prelu equal notEqual greater greaterEqual less lessEqual divNoNan',
  ),
}

describe('functions of two tensors agree on all engines', () => {
  const fractions = ['1/0', '-1/0', '0/0', '0/1', '0/-1', '2/1', '-3/1', '0.5/1'].map((text) =>
    text.split('/').map(Number),
  )
  const pairs = fractions.flatMap((a) => fractions.map((b) => [a, b] as const))
  const column = (pick: (pair: (typeof pairs)[number]) => number): NdArray => array(pairs.map(pick))
  const strange = {
    a: column(([[n]]) => n!),
    b: column(([[, d]]) => d!),
    c: column(([, [n]]) => n!),
    d: column(([, [, d]]) => d!),
  }
  const [x, y] = [array([1, -1, 2, -2]), array([1, 2, -1, 3])]
  it.each(Object.entries(BINARY))('%s', async (name, fn) => {
    await onAll(({ a, b, c, d }) => fn(tf.div(a!, b!), tf.div(c!, d!)), strange)
    const exact = !['pow', 'mul', 'squaredDifference', 'prelu', 'divNoNan'].includes(name)
    await onAll(({ i, j }) => fn(i!, j!), {
      i: ints(exact ? INTS : SMALL_INTS),
      j: ints(exact ? DIVISORS : SMALL_INTS),
    })
    await onAll(({ i, f }) => fn(i!, f!), { i: ints([1, -2, 7]), f: array([2, 0.5, -3]) })
    await onAll((t) => fn(tf.greater(t['x']!, 0), tf.greater(t['y']!, 0)), { x, y })
    await onAll((t) => fn(tf.greater(t['x']!, 0), t['y']!), { x, y })
    await onAll((t) => fn(tf.greater(t['x']!, 0), t['y']!), { x, y: ints([1, 2, -1, 3]) })
  })

  it('floored quotients next to a whole number', async () => {
    const values = array([1e4, 12345.678, 0.3, -0.3, 0.7, 0.6, 0.9, 1.1, 4.2])
    await onAll((t) => tf.mod(t['x']!, 0.1), { x: values })
    await onAll((t) => tf.floorDiv(t['x']!, 0.1), { x: values })
    await onAll((t) => tf.floor(tf.div(t['x']!, 0.1)), { x: values })
  })
})

describe('booleans', () => {
  it('are chosen, joined, moved and multiplied', async () => {
    const inputs = { x: array([1, -2, 3, 0], [2, 2]) }
    const mask = (t: Inputs): tf.Tensor => tf.greater(t['x']!, 0)
    await onAll((t) => tf.where(mask(t), tf.greater(t['x']!, 1), tf.less(t['x']!, 0)), inputs)
    await onAll((t) => tf.concat([mask(t), tf.logicalNot(mask(t))], 1), inputs)
    await onAll((t) => tf.pad(tf.transpose(tf.reverse(mask(t), 0)), [[1, 0], [0, 1]]), inputs) // prettier-ignore
    await onAll((t) => tf.tile(tf.gather(mask(t), tf.tensor1d([1], 'int32')), [2, 1]), inputs)
    await onAll((t) => tf.matMul(mask(t), mask(t)), inputs)
  })

  it('live in variables, which programs read and assign', async () => {
    for (const engine of ['js', ...NATIVE_ENGINES] as const) {
      await startEngine({ name: engine })
      const flags = tf.variable(tf.tensor1d([1, 0, 1], 'bool'))
      const program = compile<string, string>('flags', ({ x }) => {
        const y = tf.add(x!, tf.cast(flags as tf.Tensor, 'float32'))
        flags.assign(tf.logicalAnd(flags, tf.greater(x!, 0)) as tf.Tensor1D)
        return { y }
      })
      const first = await program.run({ x: array([1, -1, -2]) })
      const second = await program.run({ x: array([1, -1, -2]) })
      expect([...first['y']!.data]).toEqual([2, -1, -1])
      expect([...second['y']!.data]).toEqual([2, -1, -2])
      expect([...flags.dataSync<'bool'>()]).toEqual([1, 0, 0])
      program.dispose()
      flags.dispose()
    }
  })
})

describe('reshaped operands', () => {
  const twos = tf.tensor([2, 2, 2, 2, 2, 2], [2, 3])
  const x = array([1, 2, 3, 4, 5, 6], [2, 3])
  const cases: Record<string, Fn> = {
    'a column and a constant of full size': (t) => tf.mul(tf.sum(t['x']!, 1, true), twos),
    'a constant of full size and a column': (t) => tf.sub(twos, tf.sum(t['x']!, 1, true)),
    'a row and a constant of full size': (t) =>
      tf.mul(tf.reshape(tf.max(t['x']!, 0), [1, 3]), tf.broadcastTo(twos, [4, 2, 3])),
    'a column and a broadcast scalar': (t) =>
      tf.greater(tf.reshape(tf.sum(t['x']!, 1), [2, 1]), tf.broadcastTo(tf.mean(t['x']!), [2, 5])),
    'a scalar and a vector of one': (t) =>
      tf.add(tf.reshape(tf.sum(t['x']!), []), tf.broadcastTo(tf.max(t['x']!), [1])),
    'a number and one broadcast to rank 3': (t) =>
      tf.div(
        tf.reshape(tf.sum(t['x']!, [0, 1], true), [1]),
        tf.broadcastTo(tf.reshape(tf.max(t['x']!), [1]), [2, 2, 2]),
      ),
    'two reshapes': (t) => tf.mul(tf.reshape(t['x']!, [3, 2]), tf.reshape(tf.exp(t['x']!), [3, 2])),
    'a division by its norm': (t) => tf.div(t['x']!, tf.norm(t['x']!, 2, 1, true)),
    'the gradient of a division by its norm': (t) =>
      tf.grad((q) => tf.sum(tf.mul(tf.div(q, tf.norm(q, 2, 1, true)), tf.square(q))))(t['x']!),
  }
  it.each(Object.entries(cases))('%s', async (_, fn) => {
    await onAll(fn, { x })
  })
})

describe('tails of probabilities', () => {
  const logits = array([-80, -30, -18.1, -17.9, -15, -10, -1, 0, 3, 15, 30])
  const exact = (logit: number): number => -Math.log1p(Math.exp(-logit))
  const cases: Record<string, { fn: (x: tf.Tensor) => tf.Tensor; value: (x: number) => number }> = {
    'log of a sigmoid': { fn: (x) => tf.log(tf.sigmoid(x)), value: exact },
    logSigmoid: { fn: (x) => tf.logSigmoid(tf.mul(x, 1)), value: exact },
    'log of a sigmoid that was reshaped': { fn: (x) => tf.log(tf.reshape(tf.sigmoid(x), [11, 1])), value: exact },
    'log of a sigmoid and an epsilon': {
      fn: (x) => tf.log(tf.add(tf.sigmoid(x), 1e-20)),
      value: (x) => Math.log(1 / (1 + Math.exp(-x)) + 1e-20),
    },
    'log of half a sigmoid': {
      fn: (x) => tf.log(tf.mul(tf.sigmoid(x), tf.add(tf.mul(x, 0), 0.5))),
      value: (x) => exact(x) + Math.log(0.5),
    },
    'log of a clipped sigmoid': {
      fn: (x) => tf.log(tf.clipByValue(tf.sigmoid(x), 1e-30, 1)),
      value: (x) => Math.max(Math.log(1e-30), exact(x)),
    },
    'sigmoid itself': { fn: tf.sigmoid, value: (x) => 1 / (1 + Math.exp(-x)) },
    'root of a sigmoid': { fn: (x) => tf.sqrt(tf.sigmoid(x)), value: (x) => Math.sqrt(1 / (1 + Math.exp(-x))) },
    'log of a softplus': { fn: (x) => tf.log(tf.softplus(x)), value: (x) => Math.log(Math.log1p(Math.exp(x))) },
    'log of a softmax of two': {
      fn: (x) => tf.slice(tf.log(tf.softmax(tf.stack([x, tf.zerosLike(x)], 1))), [0, 0], [-1, 1]),
      value: exact,
    },
  }
  it.each(Object.entries(cases))('%s, with its gradient', async (_, { fn, value }) => {
    const expected = [...logits.data].map(value)
    for (const engine of ['js', ...NATIVE_ENGINES] as const) {
      const actual = await run(engine, (t) => fn(t['x']!), { x: logits })
      const slope = await run(engine, (t) => tf.grad((x) => tf.sum(fn(x)))(t['x']!), { x: logits })
      for (const [i, y] of expected.entries()) {
        const x = logits.data[i]!
        expect(Math.abs(actual.data[i]! - y), `${engine} at ${x}`).toBeLessThan(2e-5 * Math.abs(y) + 2e-7)
        const step = 1e-4
        const numeric = (value(x + step) - value(x - step)) / (2 * step)
        expect(Math.abs(slope.data[i]! - numeric), `${engine}, slope at ${x}`).toBeLessThan(1e-4)
      }
    }
  })

  it('log of 1 - sigmoid is finite in compiled programs where 1 - sigmoid rounds to 0', async () => {
    for (const engine of NATIVE_ENGINES.filter((name) => name === 'onnx')) {
      const fn: Fn = (t) => tf.log(tf.sub(1, tf.sigmoid(t['x']!)))
      const actual = await run(engine, fn, { x: array([-5, 0, 20, 90]) })
      const slope = await run(engine, (t) => tf.grad((x) => tf.sum(fn({ x })))(t['x']!), { x: array([-5, 0, 20, 90]) })
      const expected = [-0.00671535, -Math.LN2, -20, -90]
      for (const [i, y] of expected.entries()) expect(actual.data[i]).toBeCloseTo(y, 5)
      for (const [i, y] of [-0.00669285, -0.5, -1, -1].entries()) expect(slope.data[i]).toBeCloseTo(y, 5)
    }
  })

  it('gates of a recurrent network keep the fast sigmoid, which is accurate relative to 1', async () => {
    await startEngine({ name: 'onnx' })
    const { trace } = await import('../../../src/tensor/compile/trace.ts')
    const { lower } = await import('../../../src/tensor/compile/lower.ts')
    const w = tf.variable(tf.ones([3, 3]))
    const operators = (fn: Fn): string[] => {
      const { graph, inputs, outputs } = trace('gate', (t) => ({ y: fn(t) }), {
        x: { dtype: 'float32', shape: [2, 3] },
      })
      return lower(graph, 'gate', inputs, outputs).onnx.nodes.map((node) => node.op)
    }
    const gate: Fn = (t) => tf.matMul(tf.mul(tf.sigmoid(t['x']!), tf.tanh(t['x']!)), w as unknown as tf.Tensor2D)
    expect(operators(gate)).toContain('Sigmoid')
    expect(operators((t) => tf.log(tf.mul(tf.sigmoid(t['x']!), t['x']!)))).not.toContain('Sigmoid')
    w.dispose()
  })
})

describe('indices', () => {
  const x = array([1, 2, 3, 4], [2, 2])
  const outside: Record<string, { fn: Fn; i: NdArray }> = {
    'gather below': { fn: (t) => tf.gather(t['x']!, tf.cast(t['i']!, 'int32')), i: ints([-1]) },
    'gather above': { fn: (t) => tf.gather(t['x']!, tf.cast(t['i']!, 'int32'), 1), i: ints([2]) },
    'gatherND below': { fn: (t) => tf.gatherND(t['x']!, t['i']!), i: ints([-1, 0], [1, 2]) },
    'gatherND above': { fn: (t) => tf.gatherND(t['x']!, t['i']!), i: ints([2, 0], [1, 2]) },
    'constant, above': { fn: (t) => tf.add(tf.gather(t['x']!, tf.tensor1d([5], 'int32')), t['i']!), i: ints([0]) },
  }
  it.each(Object.entries(outside))('%s is refused in one line without words of ONNX Runtime', async (_, { fn, i }) => {
    await expect(run('js', fn, { x, i })).rejects.toThrow()
    for (const engine of NATIVE_ENGINES) {
      const failure = await run(engine, fn, { x, i }).catch((error: unknown) => error as Error)
      expect(failure).toMatchObject({ message: expect.stringMatching(/^[^\n]*(index|indices)[^\n]*$/) as string })
      expect((failure as Error).message).not.toMatch(/onnxruntime|Non-zero status/i)
    }
  })

  it('of one-hot rows may lie outside: such rows are off', async () => {
    await onAll((t) => tf.oneHot(t['i']!, 3), { i: ints([0, 2, 5, -1]) })
    await onAll((t) => tf.oneHot(t['i']!, 3, 2, -1, 'float32'), { i: ints([0, 2, 5, -1], [2, 2]) })
  })
})

describe('tensors without elements', () => {
  const x = array([1, 2, 3, 4], [2, 2])
  const none = (t: Inputs): tf.Tensor => tf.slice(t['x']!, [0, 0], [0, 2])
  const cases: Record<string, Fn> = {
    sum: (t) => tf.sum(none(t), 0),
    mean: (t) => tf.mean(none(t), 0),
    prod: (t) => tf.prod(none(t)),
    max: (t) => tf.max(none(t), 0),
    any: (t) => tf.any(tf.greater(none(t), 0)),
    all: (t) => tf.all(tf.greater(none(t), 0)),
    product: (t) => tf.matMul(none(t), t['x']!),
    'product over nothing': (t) => tf.matMul(tf.slice(t['x']!, [0, 0], [2, 0]), none(t)),
    'joined with others': (t) => tf.concat([none(t), t['x']!]),
    cumsum: (t) => tf.concat([tf.cumsum(none(t), 0), tf.cumprod(none(t), 1), t['x']!]),
    'joined with a constant': (t) => tf.concat([tf.reshape(t['x']!, [4]), tf.tensor1d([])]),
  }
  it.each(Object.entries(cases))('%s', async (_, fn) => {
    await onAll(fn, { x })
  })

  it('as results', async () => {
    for (const engine of ['js', ...NATIVE_ENGINES] as const) {
      await startEngine({ name: engine })
      const program = compile<string, string>('none', (t) => ({
        added: tf.add(none(t), 1),
        joined: tf.concat([none(t), none(t)]),
      }))
      const { added, joined } = await program.run({ x })
      expect(added!.shape).toEqual([0, 2])
      expect(joined!.shape).toEqual([0, 2])
      program.dispose()
    }
  })
})

describe('element types', () => {
  const cases: Record<string, Fn> = {
    'joining takes the first': (t) => tf.concat([t['x']!, tf.cast(t['i']!, 'float32')]),
    'products of integers': (t) => tf.matMul(tf.reshape(t['i']!, [1, 3]), tf.reshape(t['i']!, [3, 1])),
    'batched, transposed products of integers': (t) =>
      tf.matMul(tf.reshape(t['i']!, [3, 1, 1]), tf.reshape(t['i']!, [3, 1, 1]), true, true),
    'sums by segment': (t) => tf.unsortedSegmentSum(t['i']!, tf.tensor1d([0, 1, 1], 'int32'), 2),
    'nearest neighbours of integers': (t) =>
      tf.image.resizeNearestNeighbor(tf.reshape(t['i']!, [1, 1, 3, 1]) as tf.Tensor4D, [2, 6]),
    'a float that holds a large integer': (t) => tf.add(tf.cast(t['i']!, 'float32'), 0),
    'the nearest neighbours of infinities': (t) =>
      tf.image.resizeNearestNeighbor(tf.log(tf.reshape(tf.sub(t['x']!, 1), [1, 1, 3, 1])) as tf.Tensor4D, [2, 6]),
    'a mix of infinities': (t) =>
      tf.image.resizeBilinear(tf.log(tf.reshape(tf.sub(t['x']!, 1), [1, 1, 3, 1])) as tf.Tensor4D, [2, 5]),
    'the largest of a window with NaN': (t) =>
      tf.maxPool(tf.log(tf.reshape(tf.sub(t['x']!, 2), [1, 1, 3, 1])) as tf.Tensor4D, [1, 2], [1, 1], 'valid'),
  }
  it.each(Object.entries(cases))('%s', async (_, fn) => {
    await onAll(fn, { x: array([1, 2, 3]), i: ints([16777217, -5, 7]) })
  })
})
