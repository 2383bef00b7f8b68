import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { uniform, zeros } from '../../src/tensor/init.ts'
import { Parameters, restoreParts, saveParts, valueAndFlatGradient } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { array, ENGINES, worstError } from './numerics.ts'

const SPECS = [
  { name: 'a/kernel', shape: [2, 3], init: uniform(1) },
  { name: 'a/bias', shape: [3], init: zeros },
  { name: 'b/kernel', shape: [3, 1], init: uniform(1) },
]

const owned: Parameters[] = []
function make(seed = 1, specs = SPECS): Parameters {
  const parameters = new Parameters(specs, new Rng(seed))
  owned.push(parameters)
  return parameters
}

afterEach(() => {
  for (const parameters of owned.splice(0)) parameters.dispose()
})

describe.each(ENGINES)('parameters on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  it('split gives each weight its shape and values', async () => {
    const parameters = make()
    const program = compile<never, string>('split', () => {
      const weights = parameters.split()
      return { kernel: weights['a/kernel']!, bias: weights['a/bias']!, last: weights['b/kernel']! }
    })
    const { kernel, bias, last } = await program.run({})
    const saved = parameters.toArrays()
    expect(parameters.size).toBe(12)
    expect(kernel).toEqual(saved['a/kernel'])
    expect(bias).toEqual(array([0, 0, 0]))
    expect(last).toEqual(saved['b/kernel'])
    program.dispose()
  })

  it('the flat gradient lines up with the flat vector, and other results come back as values', async () => {
    const parameters = make()
    const program = compile<'x', 'loss' | 'hidden' | 'flatGradient'>('gradient', ({ x }) => {
      const { values, flatGradient } = valueAndFlatGradient(parameters, (w) => {
        const hidden = tf.add(tf.matMul(x, w['a/kernel']!), w['a/bias']!)
        const y = tf.matMul(hidden, w['b/kernel']!)
        return { loss: tf.sum(y), hidden }
      })
      return { ...values, flatGradient }
    })
    const x = array([0.5, -2, 1, 3], [2, 2])
    const { loss, hidden, flatGradient } = await program.run({ x })
    const { 'a/kernel': kernel, 'b/kernel': last } = parameters.toArrays()
    const [b0, b1, b2] = last!.data as Float32Array
    const columnSums = [1.5, 1]
    const hiddenSums = [0, 1, 2].map((j) => columnSums[0]! * kernel!.data[j]! + columnSums[1]! * kernel!.data[3 + j]!)
    const expected = [
      ...columnSums.flatMap((s) => [s * b0!, s * b1!, s * b2!]),
      2 * b0!,
      2 * b1!,
      2 * b2!,
      ...hiddenSums,
    ]
    expect(worstError([...flatGradient.data], expected)).toBeLessThan(1e-6)
    expect(hidden.shape).toEqual([2, 3])
    expect(loss.data[0]).toBeCloseTo(hiddenSums[0]! * b0! + hiddenSums[1]! * b1! + hiddenSums[2]! * b2!, 5)
    program.dispose()
  })

  it('says which weight the loss does not reach', async () => {
    const parameters = make()
    const program = compile('unreached', () => {
      const { flatGradient } = valueAndFlatGradient(parameters, (w) => ({ loss: tf.sum(w['a/kernel']!) }))
      return { flatGradient }
    })
    await expect(program.run({})).rejects.toThrow('expected to depend on "a/bias"')
    program.dispose()
  })

  it('keeps no tensor in the course of a gradient', async () => {
    const parameters = make()
    const program = compile('leak', () => {
      const { values, flatGradient } = valueAndFlatGradient(parameters, (w) => {
        const y = tf.matMul(tf.add(w['a/kernel']!, w['a/bias']!), w['b/kernel']!)
        return { loss: tf.sum(y), y }
      })
      parameters.variable.assign(tf.sub(parameters.variable, flatGradient))
      return { y: values.y }
    })
    await program.run({})
    const before = tf.memory().numTensors
    await program.run({})
    expect(tf.memory().numTensors).toBe(before)
    program.dispose()
  })
})

describe('parameters', () => {
  it('a weight keeps its first values when another one is added', () => {
    const more = make(1, [{ name: 'z', shape: [4], init: uniform(1) }, ...SPECS])
    expect(more.toArrays()['b/kernel']).toEqual(make(1).toArrays()['b/kernel'])
    expect(make(2).toArrays()['b/kernel']).not.toEqual(make(1).toArrays()['b/kernel'])
  })

  it('saves and restores exactly, and saved arrays are copies', () => {
    const from = make(1)
    const saved = from.toArrays()
    const to = make(2)
    to.fromArrays(saved)
    expect(to.toArrays()).toEqual(saved)
    saved['a/bias']!.data[0] = 7
    expect(to.toArrays()['a/bias']!.data[0]).toBe(0)
    const copy = make(3)
    copy.copyFrom(from)
    expect(copy.toArrays()).toEqual(from.toArrays())
  })

  it.each([
    ['a missing weight', { 'a/bias': undefined }, '"a/bias"'],
    ['a left-over weight', { 'c/kernel': array([1]) }, '"c/kernel" as well'],
    [
      'a wrong shape',
      { 'b/kernel': array([1, 2, 3], [1, 3]) },
      'b/kernel: expected float32 [3, 1], got float32 [1, 3]',
    ],
    [
      'a wrong type',
      { 'a/bias': { data: new Int32Array(3), shape: [3] } },
      'a/bias: expected float32 [3], got int32 [3]',
    ],
    ['NaN', { 'a/bias': array([1, Number.NaN, 3]) }, 'a/bias: got NaN at index 1'],
  ])('refuses %s and stays as it was', (_, change, message) => {
    const parameters = make(1)
    const before = parameters.toArrays()
    const arrays = Object.fromEntries(
      Object.entries({ ...make(2).toArrays(), ...change }).filter(([, v]) => v !== undefined),
    )
    expect(() => parameters.fromArrays(arrays as typeof before)).toThrow(message)
    expect(parameters.toArrays()).toEqual(before)
  })

  it('restores several parts together or not at all', () => {
    const parts = { actor: make(1), critic: make(2) }
    const saved = saveParts(parts)
    expect(Object.keys(saved)).toContain('critic/b/kernel')
    const others = { actor: make(3), critic: make(4) }
    const before = saveParts(others)
    const broken = { ...saved, 'critic/b/kernel': array([1, 2], [2, 1]) }
    expect(() => restoreParts('agent', others, broken)).toThrow('agent: critic: b/kernel: expected float32 [3, 1]')
    expect(() => restoreParts('agent', others, { ...saved, 'other/x': array([1]) })).toThrow('"other/x"')
    expect(saveParts(others)).toEqual(before)
    restoreParts('agent', others, saved)
    expect(saveParts(others)).toEqual(saved)
  })

  it('refuses two weights of one name, none at all, and copies of another size', () => {
    expect(() => make(1, [SPECS[0]!, SPECS[0]!])).toThrow('"a/kernel" twice')
    expect(() => make(1, [])).toThrow('got none')
    expect(() => make(1).copyFrom(make(1, SPECS.slice(1)))).toThrow('expected 12 scalars, got 6')
  })

  it('dispose gives every tensor back', () => {
    const before = tf.memory().numTensors
    const parameters = new Parameters(SPECS, new Rng(1))
    parameters.fromArrays(parameters.toArrays())
    parameters.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })
})
