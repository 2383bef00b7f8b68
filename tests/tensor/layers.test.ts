import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NdArray } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { uniform } from '../../src/tensor/init.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import {
  batchNorm,
  conv2d,
  conv2dTranspose,
  dense,
  layerNorm,
  mlp,
  scoped,
  spatialBroadcast,
  spatialSoftArgmax,
} from '../../src/tensor/layers.ts'
import { Parameters } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { array, ENGINES, evaluate, wiggle, worstError } from './numerics.ts'

/** Fixed weights that are nowhere 0, in the shapes that `layer` asks for. */
function weightsOf(layer: Layer): Record<string, NdArray<Float32Array>> {
  return Object.fromEntries(layer.parameters.map(({ name, shape }, index) => [name, wiggle(shape, index + 1)]))
}

/** `layer` as a function of its input and all its weights, in their order, weighted so that no gradient is trivial. */
async function run(layer: Layer, weights: Record<string, NdArray>, x: NdArray) {
  const names = layer.parameters.map(({ name }) => name)
  const apply = (input: tf.Tensor, ...tensors: tf.Tensor[]): tf.Tensor => {
    const y = layer.apply(Object.fromEntries(names.map((name, index) => [name, tensors[index]!])), input)
    const { data, shape } = wiggle(y.shape, 0.5)
    return tf.mul(y, tf.tensor(data, [...shape]))
  }
  const { gradients } = await evaluate(apply, x, ...names.map((name) => weights[name]!))
  const plain = await forward(layer, weights, x)
  return { ...plain, gradientOfX: gradients[0]!, gradients: gradients.slice(1) }
}

/** One per layer, so that the many runs of a finite difference share one compiled graph. */
const programs = new Map<Layer, Program<string, 'y'>>()

async function forward(layer: Layer, weights: Record<string, NdArray>, x: NdArray) {
  let program = programs.get(layer)
  if (program === undefined) {
    program = compile('forward', ({ x: input, ...tensors }) => ({ y: layer.apply(tensors, input!) }))
    programs.set(layer, program)
  }
  const { y } = await program.run({ x, ...weights })
  return { value: [...y.data], shape: y.shape }
}

afterAll(() => {
  for (const program of programs.values()) program.dispose()
})

/** Central differences of the weighted sum that `run` differentiates, with respect to one array. */
async function differences(layer: Layer, weights: Record<string, NdArray>, x: NdArray, name: string, step: number) {
  const target = name === 'x' ? x : weights[name]!
  const weightedSum = async (data: Float32Array): Promise<number> => {
    const shifted = { data, shape: target.shape }
    const { value, shape } =
      name === 'x' ? await forward(layer, weights, shifted) : await forward(layer, { ...weights, [name]: shifted }, x)
    const factors = wiggle(shape, 0.5).data
    return value.reduce((sum, y, i) => sum + y * factors[i]!, 0)
  }
  const result: number[] = []
  for (let i = 0; i < target.data.length; i++) {
    const up = Float32Array.from(target.data)
    const down = Float32Array.from(target.data)
    up[i]! += step
    down[i]! -= step
    result.push(((await weightedSum(up)) - (await weightedSum(down))) / (up[i]! - down[i]!))
  }
  return result
}

async function checkGradients(layer: Layer, x: NdArray, step: number, tolerance: number): Promise<void> {
  const weights = weightsOf(layer)
  const { gradientOfX, gradients } = await run(layer, weights, x)
  expect(worstError(gradientOfX, await differences(layer, weights, x, 'x', step))).toBeLessThan(tolerance)
  for (const [index, { name }] of layer.parameters.entries()) {
    const expected = await differences(layer, weights, x, name, step)
    expect(worstError(gradients[index]!, expected), name).toBeLessThan(tolerance)
  }
}

describe.each(ENGINES)('layers on %s', (engine) => {
  beforeAll(async () => {
    await startEngine({ name: engine })
  })

  it('dense is x W + b', async () => {
    const layer = dense('d', { inputSize: 2, outputSize: 3 })
    const weights = { 'd/kernel': array([1, 2, 3, 4, 5, 6], [2, 3]), 'd/bias': array([0.5, 0, -1]) }
    const { value, shape } = await forward(layer, weights, array([1, 0, 2, -1], [2, 2]))
    expect(shape).toEqual([2, 3])
    expect(value).toEqual([1.5, 2, 2, -1.5, -1, -1])
  })

  it.each([[[3, 2]], [[2, 3, 2]]])('an ensemble maps %j as each member alone would', async (inputShape) => {
    const ensemble = dense('d', { inputSize: 2, outputSize: 4, ensemble: 2 })
    const single = dense('d', { inputSize: 2, outputSize: 4 })
    const weights = weightsOf(ensemble)
    const x = wiggle(inputShape)
    const { value, shape } = await forward(ensemble, weights, x)
    expect(shape).toEqual([2, 3, 4])
    for (const member of [0, 1]) {
      const own = {
        'd/kernel': array(weights['d/kernel']!.data.slice(8 * member, 8 * member + 8), [2, 4]),
        'd/bias': array(weights['d/bias']!.data.slice(4 * member, 4 * member + 4)),
      }
      const rows = inputShape.length === 2 ? x : array(x.data.slice(6 * member, 6 * member + 6), [3, 2])
      const alone = await forward(single, own, rows)
      expect(worstError(value.slice(12 * member, 12 * member + 12), alone.value)).toBeLessThan(1e-6)
    }
  })

  it('gradients of dense layers and ensembles agree with finite differences', async () => {
    await checkGradients(dense('d', { inputSize: 3, outputSize: 2 }), wiggle([4, 3]), 0.1, 1e-4)
    await checkGradients(dense('d', { inputSize: 3, outputSize: 2, ensemble: 2 }), wiggle([4, 3]), 0.1, 1e-4)
    await checkGradients(dense('d', { inputSize: 3, outputSize: 2, ensemble: 2 }), wiggle([2, 4, 3]), 0.1, 1e-4)
  })

  it('layer norm standardises rows, then scales and shifts', async () => {
    const { value } = await forward(
      layerNorm('n', 4),
      { 'n/scale': array([1, 1, 1, 2]), 'n/offset': array([0, 0, 0, 10]) },
      array([1, 2, 3, 4, 5, 5, 5, 5], [2, 4]),
    )
    const unit = 1 / Math.sqrt(1.25 + 1e-5)
    expect(worstError(value, [-1.5 * unit, -0.5 * unit, 0.5 * unit, 10 + 3 * unit, 0, 0, 0, 10])).toBeLessThan(1e-6)
  })

  it('gradients of layer norm agree with finite differences', async () => {
    await checkGradients(layerNorm('n', 5), wiggle([3, 5]), 1e-2, 3e-3)
    await checkGradients(layerNorm('n', 5, 2), wiggle([2, 3, 5]), 1e-2, 3e-3)
  })

  it('batch norm standardises columns and says by what, or goes by the running statistics', async () => {
    const program = compile<'x', 'y' | 'mean' | 'variance'>('batch norm', ({ x }) => {
      const batch: Record<string, tf.Tensor> = {}
      const learned = { 's/n/scale': tf.tensor2d([[1, 2]]), 's/n/offset': tf.tensor2d([[0, 10]]) }
      const y = scoped('s', batchNorm('n', 2)).apply(learned, x, batch)
      return { y, mean: batch['s/n/mean']!, variance: batch['s/n/variance']! }
    })
    const x = array([1, 5, 2, 5, 3, 5, 4, 9], [4, 2])
    const { y, mean, variance } = await program.run({ x })
    program.dispose()
    expect(mean.shape).toEqual([1, 2])
    expect(worstError(mean.data as Float32Array, [2.5, 6])).toBeLessThan(1e-6)
    expect(worstError(variance.data as Float32Array, [1.25, 3])).toBeLessThan(1e-6)
    const [a, b] = [1 / Math.sqrt(1.25 + 1e-3), 1 / Math.sqrt(3 + 1e-3)]
    const [c, d] = [10 - 2 * b, 10 + 6 * b]
    expect(worstError(y.data as Float32Array, [-1.5 * a, c, -0.5 * a, c, 0.5 * a, c, 1.5 * a, d])).toBeLessThan(1e-6)
    const learned = { 'n/scale': array([1, 1], [1, 2]), 'n/offset': array([0, 1], [1, 2]) }
    const running = { 'n/mean': array([1, 5], [1, 2]), 'n/variance': array([4, 1], [1, 2]) }
    const { value } = await forward(batchNorm('n', 2), { ...learned, ...running }, x)
    const [e, f] = [1 / Math.sqrt(4 + 1e-3), 1 / Math.sqrt(1 + 1e-3)]
    expect(worstError(value, [0, 1, e, 1, 2 * e, 1, 3 * e, 1 + 4 * f])).toBeLessThan(1e-6)
  })

  it('gradients of batch norm go through the statistics of the batch, of each member apart', async () => {
    const ofBatch = (layer: Layer): Layer => ({ ...layer, apply: (weights, x) => layer.apply(weights, x, {}) })
    await checkGradients(ofBatch(batchNorm('n', 3)), wiggle([5, 3]), 1e-2, 3e-3)
    await checkGradients(ofBatch(batchNorm('n', 3, 2)), wiggle([2, 5, 3]), 1e-2, 3e-3)
    await checkGradients(ofBatch(batchNorm('n', 3, 2)), wiggle([5, 3]), 1e-2, 3e-3)
    await checkGradients(
      ofBatch(mlp('q', { inputSize: 2, hiddenSizes: [3], outputSize: 1, norm: 'batch', nonlinearity: tf.tanh })),
      wiggle([4, 2]),
      1e-2,
      3e-3,
    )
  })

  it.each(['none', 'layer'] as const)('an mlp (norm: %s) composes its layers, also as an ensemble', async (norm) => {
    const withNorm = norm === 'layer'
    const options = { inputSize: 3, hiddenSizes: [4, 5], outputSize: 2, norm, nonlinearity: tf.tanh }
    const net = mlp('q', { ...options, ensemble: 2 })
    expect(net.parameters.map(({ name }) => name)).toEqual(
      ['hidden0', ...(withNorm ? ['norm0'] : []), 'hidden1', ...(withNorm ? ['norm1'] : []), 'output'].flatMap(
        (layer) =>
          (layer.startsWith('norm') ? ['scale', 'offset'] : ['kernel', 'bias']).map((part) => `q/${layer}/${part}`),
      ),
    )
    expect((await forward(net, weightsOf(net), wiggle([6, 3]))).shape).toEqual([2, 6, 2])
    await checkGradients(mlp('q', options), wiggle([3, 3]), 1e-2, 3e-3)
  })

  it('a convolution sums patches; stride and padding set the size', async () => {
    const options = { inputChannels: 1, outputChannels: 1, kernelSize: 3 }
    const weights = { 'c/kernel': array([0, 0, 0, 0, 1, 0, 0, 0, 2], [3, 3, 1, 1]), 'c/bias': array([0.5]) }
    const image = array(
      Array.from({ length: 16 }, (_, i) => i),
      [1, 4, 4, 1],
    )
    const valid = await forward(conv2d('c', { ...options, padding: 'valid' }), weights, image)
    expect(valid).toEqual({ shape: [1, 2, 2, 1], value: [5, 6, 9, 10].map((x) => x + 2 * (x + 5) + 0.5) })
    const strided = await forward(conv2d('c', { ...options, stride: 2 }), weights, wiggle([2, 5, 4, 1]))
    expect(strided.shape).toEqual([2, 3, 2, 1])
  })

  it('gradients of convolutions agree with finite differences', async () => {
    const conv = conv2d('c', { inputChannels: 2, outputChannels: 3, kernelSize: 3, stride: 2 })
    await checkGradients(conv, wiggle([2, 5, 4, 2]), 0.1, 1e-4)
    const valid = conv2d('c', { inputChannels: 2, outputChannels: 2, kernelSize: 3, padding: 'valid' })
    await checkGradients(valid, wiggle([1, 4, 5, 2]), 0.1, 1e-4)
  })

  it('a transposed convolution is the transpose of the convolution with its filter', async () => {
    // <conv(x), y> = <x, transposed(y)> for every x and y.
    const kernel = wiggle([3, 3, 2, 3])
    const conv = conv2d('c', { inputChannels: 2, outputChannels: 3, kernelSize: 3, stride: 2 })
    const transposed = conv2dTranspose('c', { inputChannels: 3, outputChannels: 2, kernelSize: 3, stride: 2 })
    const x = wiggle([1, 6, 4, 2], 1)
    const y = wiggle([1, 3, 2, 3], 2)
    const convolved = await forward(conv, { 'c/kernel': kernel, 'c/bias': array([0, 0, 0]) }, x)
    const back = await forward(transposed, { 'c/kernel': kernel, 'c/bias': array([0, 0]) }, y)
    expect(back.shape).toEqual([1, 6, 4, 2])
    const inner = (a: readonly number[], b: ArrayLike<number>): number => a.reduce((sum, ai, i) => sum + ai * b[i]!, 0)
    expect(inner(convolved.value, y.data)).toBeCloseTo(inner(back.value, x.data), 4)
  })

  it('gradients of transposed convolutions agree with finite differences', async () => {
    const same = conv2dTranspose('c', { inputChannels: 2, outputChannels: 2, kernelSize: 3, stride: 2 })
    await checkGradients(same, wiggle([1, 2, 3, 2]), 0.1, 1e-4)
    const options = { inputChannels: 2, outputChannels: 1, kernelSize: 4, stride: 2, padding: 'valid' } as const
    const valid = conv2dTranspose('c', options)
    expect((await forward(valid, weightsOf(valid), wiggle([1, 3, 2, 2]))).shape).toEqual([1, 8, 6, 1])
    await checkGradients(valid, wiggle([1, 2, 2, 2]), 0.1, 1e-4)
  })

  it('a spatial soft-arg-max says where each channel is active', async () => {
    // Channel 0 is active at column 2, row 1 of 3x2 positions; channel 1 at columns 0 and 1 of row 0 alike.
    const map = array([0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 9, 0], [1, 2, 3, 2])
    const layer = spatialSoftArgmax('s', 2, 3)
    const { value, shape } = await forward(layer, { 's/sharpness': array([10]) }, map)
    expect(shape).toEqual([1, 4])
    expect(worstError(value, [1, 1, -0.5, -1])).toBeLessThan(1e-6)
    // Nothing stands out: the middle.
    const flat = await forward(layer, { 's/sharpness': array([10]) }, array(new Float32Array(12), [1, 2, 3, 2]))
    expect(worstError(flat.value, [0, 0, 0, 0])).toBeLessThan(1e-6)
    await checkGradients(layer, wiggle([2, 2, 3, 2]), 1e-2, 3e-3)
  })

  it('a spatial broadcast shows every position the vector and its own coordinates', async () => {
    const layer = spatialBroadcast('b', { inputSize: 2, outputChannels: 2, height: 2, width: 3 })
    const weights = {
      'b/vector/kernel': array([1, 0, 0, 1], [2, 2]),
      'b/vector/bias': array([0.5, 0]),
      'b/coordinates': array([10, 0, 0, 100], [2, 2]),
    }
    const { value, shape } = await forward(layer, weights, array([1, 2], [1, 2]))
    expect(shape).toEqual([1, 2, 3, 2])
    expect(value).toEqual([-8.5, -98, 1.5, -98, 11.5, -98, -8.5, 102, 1.5, 102, 11.5, 102])
    await checkGradients(layer, wiggle([3, 2]), 0.1, 1e-4)
  })

  it('takes other initialisers', () => {
    const kernelInit = uniform(0.01)
    const layer = mlp('pi', { inputSize: 2, hiddenSizes: [3], outputSize: 1, outputInit: kernelInit })
    const parameters = new Parameters(layer.parameters, new Rng(1))
    const arrays = parameters.toArrays()
    expect(Math.max(...arrays['pi/output/kernel']!.data.map(Math.abs))).toBeLessThan(0.01)
    expect(Math.max(...arrays['pi/hidden0/kernel']!.data.map(Math.abs))).toBeGreaterThan(0.1)
    parameters.dispose()
  })
})
