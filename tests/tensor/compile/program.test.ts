import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { compile, exportOnnx } from '../../../src/tensor/compile/program.ts'
import { startEngine } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { array, ENGINES, wiggle, worstError } from '../numerics.ts'
import { owned, variable } from './owned-variables.ts'

/** w <- w - 0.1 d/dw mean((x w)^2). */
function descent(w: tf.Variable): ReturnType<typeof compile<'x', 'loss'>> {
  return compile<'x', 'loss'>('descent', ({ x }) => {
    const { value, grads } = tf.variableGrads(() => tf.mean(tf.square(tf.matMul(x, w as tf.Tensor))), [w])
    w.assign(tf.sub(w, tf.mul(grads[w.name]!, 0.1)))
    return { loss: value }
  })
}

describe.each(ENGINES)('programs on %s', (engine) => {
  beforeAll(() => startEngine({ name: engine }))

  it('read and assign variables, and follow assignments from outside', async () => {
    const w = variable([1, 1], [2, 1])
    const program = descent(w)
    const x = array([1, 2, 3, 4], [2, 2])
    expect((await program.run({ x })).loss.data[0]).toBeCloseTo((9 + 49) / 2)
    // d/dw mean((x w)^2) = x' x w = [[10, 14], [14, 20]] w
    expect(worstError(w.dataSync(), [1 - 2.4, 1 - 3.4])).toBeLessThan(1e-6)
    tf.tidy(() => w.assign(tf.tensor([1, 0], [2, 1])))
    expect((await program.run({ x })).loss.data[0]).toBeCloseTo((1 + 9) / 2)
    expect(worstError(w.dataSync(), [0, -1.4])).toBeLessThan(1e-6)
    program.dispose()
  })

  it('never write into arrays or tensors that were assigned to a variable', async () => {
    const w = variable([0, 0])
    const program = compile<never, never>('count', () => {
      w.assign(tf.add(w, 1))
      return {}
    })
    const given = Float32Array.of(5, 6)
    const shared = tf.tensor1d(given)
    w.assign(shared)
    for (let i = 0; i < 3; i++) await program.run({})
    expect([...w.dataSync()]).toEqual([8, 9])
    expect([...given]).toEqual([5, 6])
    expect([...shared.dataSync()]).toEqual([5, 6])
    shared.dispose()
    program.dispose()
  })

  it('keep variables apart that were made from one another', async () => {
    const online = variable([1, 2])
    const target = tf.variable(online)
    owned.push(target)
    const program = compile<never, never>('polyak', () => {
      const next = tf.add(online, 1)
      target.assign(tf.add(tf.mul(target, 0.5), tf.mul(online, 0.5)))
      online.assign(next)
      return {}
    })
    for (let i = 0; i < 3; i++) await program.run({})
    expect([...online.dataSync()]).toEqual([4, 5])
    expect([...target.dataSync()]).toEqual([2.25, 3.25])
    program.dispose()
  })

  it('copy one variable into another, swap two, and leave one as it was', async () => {
    const [a, b, c] = [variable([1, 2]), variable([3, 4]), variable([0, 0])]
    const program = compile<never, 'sum'>('swap', () => {
      const old = tf.clone(a)
      a.assign(tf.clone(b))
      b.assign(old)
      c.assign(tf.clone(c))
      return { sum: tf.add(a, b) }
    })
    expect([...(await program.run({})).sum.data]).toEqual([4, 6])
    expect([[...a.dataSync()], [...b.dataSync()], [...c.dataSync()]]).toEqual([
      [3, 4],
      [1, 2],
      [0, 0],
    ])
    program.dispose()
  })

  it('see their own assignments', async () => {
    const w = variable([1])
    const program = compile<never, 'before' | 'after'>('own', () => {
      const before = tf.mul(w, 10)
      w.assign(tf.add(w, 1))
      return { before, after: tf.mul(w, 10) }
    })
    const { before, after } = await program.run({})
    expect([before.data[0], after.data[0], w.dataSync()[0]]).toEqual([10, 20, 2])
    program.dispose()
  })

  it('take new shapes', async () => {
    const program = compile<'x', 'sum'>('sum', ({ x }) => ({ sum: tf.sum(x, 0) }))
    for (const rows of [1, 3, 2, 3]) {
      const { sum } = await program.run({ x: array(Array<number>(rows * 2).fill(1), [rows, 2]) })
      expect(sum).toEqual(array([rows, rows]))
    }
    program.dispose()
  })

  it('return booleans as bytes, inputs and constants as they are, and one value under two names', async () => {
    const program = compile<'x', string>('kinds', ({ x }) => {
      const doubled = tf.mul(x, 2)
      return { positive: tf.greater(x, 0), x, constant: tf.ones([2]), one: doubled, two: doubled }
    })
    const x = array([-1, 2])
    const outputs = await program.run({ x })
    expect(outputs['positive']).toEqual({ data: Uint8Array.of(0, 1), shape: [2] })
    expect(outputs['x']).toEqual(x)
    expect(outputs['constant']).toEqual(array([1, 1]))
    expect([outputs['one'], outputs['two']]).toEqual([array([-2, 4]), array([-2, 4])])
    program.dispose()
  })

  it.each([0, 1, 4095, 4096, 40_000])('give %i results to the caller for good, beside an assignment', async (size) => {
    const w = variable([1])
    const program = compile<'x', 'y'>('results', ({ x }) => {
      const y = tf.add(x, w)
      w.assign(tf.add(w, 1))
      return { y }
    })
    const x = wiggle([size])
    const runs = [await program.run({ x }), await program.run({ x })]
    for (const [i, { y }] of runs.entries()) expect([...y.data]).toEqual([...x.data].map((v) => Math.fround(v + i + 1)))
    expect(w.dataSync()[0]).toBe(3)
    program.dispose()
  })

  it('may have neither results nor assignments', async () => {
    const program = compile<'x', never>('nothing', () => ({}))
    expect(await program.run({ x: array([1]) })).toEqual({})
    program.dispose()
  })

  it('are run in the order of the calls', async () => {
    const w = variable([1])
    const [twice, plusOne] = [
      compile<never, never>('twice', () => (w.assign(tf.mul(w, 2)), {})),
      compile<never, never>('plusOne', () => (w.assign(tf.add(w, 1)), {})),
    ]
    await Promise.all([twice.run({}), plusOne.run({}), twice.run({}), plusOne.run({})])
    expect(w.dataSync()[0]).toBe(7)
    twice.dispose()
    plusOne.dispose()
  })

  it('keep no tensors', async () => {
    const w = variable([1, 1], [2, 1])
    const program = descent(w)
    await program.run({ x: wiggle([3, 2]) })
    const before = tf.memory().numTensors
    for (const rows of [3, 4, 5, 3]) await program.run({ x: wiggle([rows, 2]) })
    await program.run({ x: wiggle([3, 3]) }).catch(() => undefined)
    await program.run({ x: array([NaN, 0], [1, 2]) }).catch(() => undefined)
    expect(tf.memory().numTensors).toBe(before)
    program.dispose()
  })

  it('refuse bad inputs by name and change nothing', async () => {
    const w = variable([1, 1], [2, 1])
    const program = descent(w)
    const run = (x: unknown): Promise<unknown> => program.run({ x } as never)
    await expect(run(array([1, NaN], [1, 2]))).rejects.toThrow(
      'program descent, input x: expected finite numbers, got NaN at index 1',
    )
    await expect(run(array([1, Infinity], [1, 2]))).rejects.toMatchObject({ code: 'bad-value' })
    await expect(run({ data: new Float32Array(3), shape: [1, 2] })).rejects.toMatchObject({ code: 'bad-shape' })
    await expect(run({ data: new Float64Array(2), shape: [1, 2] })).rejects.toThrow(
      'expected float32, int32 or uint8, got float64',
    )
    await expect(program.run({} as never)).rejects.toThrow('program descent: expected an input x, got no inputs')
    await expect(run(array([1, 2, 3], [1, 3]))).rejects.toThrow('program descent with inputs x float32 [1, 3]: ')
    expect([...w.dataSync()]).toEqual([1, 1])
    program.dispose()
  })

  it('leave variables alone when a scalar output is NaN', async () => {
    const w = variable([4])
    const program = compile<'x', 'loss'>('root', ({ x }) => {
      const loss = tf.sum(tf.sqrt(tf.mul(w, x)))
      w.assign(tf.sub(w, 1))
      return { loss }
    })
    expect((await program.run({ x: array([1]) })).loss.data[0]).toBe(2)
    await expect(program.run({ x: array([-1]) })).rejects.toThrow('program root, output loss: got NaN')
    await expect(program.run({ x: array([-1]) })).rejects.toMatchObject({ code: 'bad-value' })
    expect(w.dataSync()[0]).toBe(3)
    expect((await program.run({ x: array([3]) })).loss.data[0]).toBe(3)
    expect(w.dataSync()[0]).toBe(2)
    program.dispose()
  })
})

describe('compiling', () => {
  beforeAll(() => startEngine({ name: 'onnx' }))

  const run = async (fn: (inputs: Record<string, tf.Tensor>) => Record<string, tf.Tensor>): Promise<unknown> => {
    const program = compile<string, string>('probe', fn)
    try {
      return await program.run({ x: wiggle([2, 3]) })
    } finally {
      program.dispose()
    }
  }

  it('names an op that it does not cover', async () => {
    await expect(run(({ x }) => ({ y: tf.searchSorted(x!, x!) }))).rejects.toThrow(
      'program probe: op SearchSorted is not covered by the onnx engine',
    )
    await expect(run(({ x }) => ({ y: tf.searchSorted(x!, x!) }))).rejects.toMatchObject({ code: 'unsupported-op' })
  })

  it('names an op without a gradient', async () => {
    const product = (x: tf.Tensor): tf.Tensor => tf.sum(tf.cumprod(x, 0))
    await expect(run(({ x }) => ({ y: tf.grad(product)(x!) }))).rejects.toThrow(
      /op Cumprod has no gradient; write it in/,
    )
  })

  it('names the value that is read while tracing', async () => {
    const w = variable([1])
    await expect(run(({ x }) => ({ y: tf.mul(x!, tf.mean(x!).dataSync()[0]!) }))).rejects.toThrow(
      'the value of the result of Mean was read while tracing',
    )
    await expect(run(({ x }) => ({ y: tf.mul(x!, w.dataSync()[0]!) }))).rejects.toThrow(
      `the value of variable ${w.name}`,
    )
    await expect(run(({ x }) => ({ y: tf.mul(x!, x!.arraySync() as number[][]) }))).rejects.toThrow(
      'the value of input x',
    )
    expect(w.dataSync()[0]).toBe(1)
  })

  it('refuses random numbers and new variables', async () => {
    await expect(run(({ x }) => ({ y: tf.add(x!, tf.randomNormal([2, 3])) }))).rejects.toThrow(
      'randomNormal__op draws random numbers',
    )
    const variables = tf.memory().numTensors
    await expect(run(({ x }) => ({ y: tf.variable(x!) }))).rejects.toThrow('makes variables while it runs')
    expect(tf.memory().numTensors).toBe(variables)
  })

  it('bakes in tensors from outside, also those that share data under another shape', async () => {
    const flat = tf.tensor1d([1, 2, 3, 4, 5, 6])
    const table = tf.reshape(flat, [2, 3])
    const program = compile<'x', 'y'>('captured', ({ x }) => ({ y: tf.add(tf.mul(x, table), tf.sum(flat)) }))
    const { y } = await program.run({ x: array([1, 1, 1, 0, 0, 0], [2, 3]) })
    expect([...y.data]).toEqual([22, 23, 24, 21, 21, 21])
    flat.dispose()
    table.dispose()
    program.dispose()
  })

  it('goes on after the engine was switched, with the same variables', async () => {
    const w = variable([1])
    const program = compile<never, never>('count', () => (w.assign(tf.add(w, 1)), {}))
    await program.run({})
    await startEngine({ name: 'js' })
    await program.run({})
    await startEngine({ name: 'onnx', threads: 1 })
    await program.run({})
    await startEngine({ name: 'onnx' })
    expect(w.dataSync()[0]).toBe(4)
    program.dispose()
  })

  it('finishes the runs that were asked for before it is disposed of', async () => {
    const program = compile<'x', 'y'>('ending', ({ x }) => ({ y: tf.mul(x, 2) }))
    const runs = [program.run({ x: array([1]) }), program.run({ x: array([1, 2]) })]
    program.dispose()
    expect((await Promise.all(runs)).map(({ y }) => [...y.data])).toEqual([[2], [2, 4]])
  })

  it('says when a variable or the program is gone', async () => {
    const w = variable([1])
    const program = compile<never, 'y'>('gone', () => ({ y: tf.add(w, 1) }))
    await program.run({})
    w.dispose()
    await expect(program.run({})).rejects.toMatchObject({ code: 'closed' })
    program.dispose()
    await expect(program.run({})).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('exportOnnx', () => {
  beforeAll(() => startEngine({ name: 'onnx' }))

  it('writes a model that stands alone and equals the program', async () => {
    const [filter, w, b] = [
      variable([...wiggle([3, 3, 3, 4]).data], [3, 3, 3, 4]),
      variable([...wiggle([36, 2]).data], [36, 2]),
      variable([0.1, -0.2]),
    ]
    const policy = ({ frames }: Record<string, tf.Tensor>): Record<string, tf.Tensor> => {
      const x = tf.mul(tf.cast(frames!, 'float32'), 1 / 255)
      const features = tf.relu(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor as tf.Tensor4D, 2, 'valid')) // [B, 3, 3, 4]
      return { action: tf.tanh(tf.add(tf.matMul(tf.reshape(features, [1, -1]), w as tf.Tensor), b)) }
    }
    const frames = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => (41 * i) % 256)
    const program = compile('policy', policy)
    const { action } = await program.run({ frames: { data: frames, shape: [1, 8, 8, 3] } })
    program.dispose()

    const model = exportOnnx('policy', policy, { frames: { dtype: 'uint8', shape: [1, 8, 8, 3] } })
    const session = await InferenceSession.create(model)
    expect([session.inputNames, session.outputNames]).toEqual([['frames'], ['action']])
    const results = await session.run({ frames: new Tensor('uint8', frames, [1, 8, 8, 3]) })
    expect(worstError(results['action']!.data as Float32Array, action!.data)).toBeLessThan(1e-6)
    await session.release()
  })

  it('refuses functions that assign', () => {
    const w = variable([1])
    const train = ({ x }: Record<string, tf.Tensor>): Record<string, tf.Tensor> => {
      w.assign(tf.add(w, x!))
      return { y: x! }
    }
    expect(() => exportOnnx('train', train, { x: { dtype: 'float32', shape: [1] } })).toThrow(
      `program train cannot be exported: got an assignment to variable ${w.name}`,
    )
  })
})
