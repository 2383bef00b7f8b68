import { describe, expect, it } from 'vitest'
import type { NdArray } from '../../../src/core/ndarray.ts'
import { convolutionLanes } from '../../../src/tensor/compile/lanes.ts'
import { lower } from '../../../src/tensor/compile/lower.ts'
import type { OnnxNode } from '../../../src/tensor/compile/onnx-model.ts'
import { compile } from '../../../src/tensor/compile/program.ts'
import type { TensorFunction } from '../../../src/tensor/compile/trace.ts'
import { trace } from '../../../src/tensor/compile/trace.ts'
import { startEngine } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { wiggle, worstError } from '../numerics.ts'
import { zeros } from './owned-variables.ts'

type Fn = (...inputs: tf.Tensor[]) => tf.Tensor
type Images = tf.Tensor4D

const TOLERANCE = 3e-5

async function run(engine: 'js' | 'onnx', fn: TensorFunction, inputs: Record<string, NdArray>): Promise<NdArray[]> {
  await startEngine({ name: engine, threads: 1 })
  const program = compile('case', fn)
  const outputs = await program.run(inputs)
  program.dispose()
  return Object.values(outputs)
}

/** Value and gradients of `fn` on both engines. */
async function expectAgreement(fn: Fn, ...inputs: NdArray[]): Promise<void> {
  const names = inputs.map((_, i) => `x${i}`)
  const differentiated: TensorFunction = (tensors) => {
    const args = names.map((name) => tensors[name]!)
    const value = fn(...args)
    const { data, shape } = wiggle(value.shape, 0.7)
    const weighted: Fn = (...xs) => tf.sum(tf.mul(fn(...xs), tf.tensor(data, [...shape])))
    const gradients = tf.grads(weighted)(args)
    return { value, ...Object.fromEntries(gradients.map((gradient, i) => [`gradient${i}`, gradient])) }
  }
  const feeds = Object.fromEntries(names.map((name, i) => [name, inputs[i]!]))
  const expected = await run('js', differentiated, feeds)
  const actual = await run('onnx', differentiated, feeds)
  for (const [i, { data, shape }] of expected.entries()) {
    expect(actual[i]!.shape, `result ${i}`).toEqual(shape)
    expect(worstError(actual[i]!.data, data), `result ${i}`).toBeLessThan(TOLERANCE)
  }
}

interface Case {
  readonly batch?: number
  readonly size: readonly [number, number]
  readonly channels: readonly [number, number]
  readonly kernel?: readonly [number, number]
  readonly stride?: number | [number, number]
  readonly pad: 'same' | 'valid' | number
}

const CASES: readonly Case[] = [
  { size: [6, 5], channels: [16, 16], pad: 'same' },
  { size: [6, 5], channels: [16, 32], pad: 'same' },
  { batch: 32, size: [2, 3], channels: [32, 48], pad: 'same' },
  { size: [6, 5], channels: [32, 32], pad: 'valid' },
  { size: [8, 7], channels: [32, 32], stride: 2, pad: 'same' },
  { size: [8, 7], channels: [32, 32], stride: 2, pad: 'valid' },
  { size: [9, 6], channels: [16, 32], kernel: [4, 2], stride: [3, 1], pad: 'same' },
  { size: [11, 11], channels: [16, 16], kernel: [5, 5], stride: 3, pad: 'valid' },
  { size: [5, 5], channels: [16, 16], pad: 2 },
  { size: [4, 4], channels: [16, 32], kernel: [4, 4], pad: 'valid' },
  { size: [8, 8], channels: [16, 16], kernel: [2, 2], stride: 3, pad: 'valid' },
  { size: [8, 8], channels: [3, 32], stride: 2, pad: 'same' },
  { size: [9, 8], channels: [9, 16], stride: 2, pad: 'valid' },
  { size: [4, 3], channels: [24, 32], pad: 'same' },
  { batch: 5, size: [8, 7], channels: [32, 32], stride: 2, pad: 'same' },
  { batch: 1, size: [8, 7], channels: [3, 32], pad: 'same' },
  { size: [6, 6], channels: [16, 20], pad: 'same' },
]

describe('convolutions in blocks of channels agree with TF.js', () => {
  const described = CASES.map((c) => [JSON.stringify(c), c] as const)
  it.each(described)('%s', async (_, { batch = 16, size, channels, kernel = [3, 3], stride = 1, pad }) => {
    const filter = wiggle([...kernel, ...channels], 1)
    const layer: Fn = (x, w, b) => tf.relu(tf.add(tf.conv2d(x as Images, w as Images, stride, pad), b!))
    const x = wiggle([batch, ...size, channels[0]])
    await expectAgreement(layer, x, filter, wiggle([channels[1]], 2))
    const y = tf.tidy(() => layer(tf.zeros([...x.shape]), tf.zeros([...filter.shape]), tf.zeros([channels[1]])).shape)
    const transposed: Fn = (z, w, b) =>
      tf.relu(
        tf.add(
          tf.conv2dTranspose(z as Images, w as Images, x.shape as [number, number, number, number], stride, pad),
          b!,
        ),
      )
    await expectAgreement(transposed, wiggle(y, 2), filter, wiggle([channels[0]], 3))
  })

  it('where other operations stand between them', async () => {
    const network: Fn = (x, first, second, offset) => {
      const maps = tf.tanh(tf.conv2d(x as Images, first as Images, 1, 'same')) // [16, 5, 4, 32]
      const centred = tf.sub(tf.mul(maps, 2), tf.mean(maps, [1, 2], true))
      const mixed = tf.add(tf.mul(centred, offset!), tf.transpose(tf.reverse(maps, 3), [0, 1, 2, 3]))
      const kept = tf.slice(mixed, [0, 1, 0, 0], [16, 4, 4, 32])
      const pooled = tf.concat([tf.max(kept, [1, 2]), tf.sum(kept, [1, 2])], 1) // [16, 64]
      const out = tf.conv2d(kept as Images, second as Images, 1, 'valid') // [16, 2, 2, 16]
      return tf.add(tf.reshape(tf.sigmoid(out), [16, 64]), pooled)
    }
    const inputs = [wiggle([16, 5, 4, 16]), wiggle([3, 3, 16, 32], 1), wiggle([3, 3, 32, 16], 2), wiggle([5, 4, 1], 3)]
    await expectAgreement(network, ...inputs)
  })

  it('of bytes', async () => {
    const frames = { data: Uint8Array.from({ length: 16 * 64 * 3 }, (_, i) => (i * 37) % 256), shape: [16, 8, 8, 3] }
    const fn: TensorFunction = ({ x, w }) => {
      const loss = (filter: tf.Tensor): tf.Tensor =>
        tf.mean(tf.square(tf.conv2d(tf.div(tf.cast(x!, 'float32'), 255) as Images, filter as Images, 2, 'same')))
      return { gradient: tf.grad(loss)(w!) }
    }
    const inputs = { x: frames, w: wiggle([3, 3, 3, 16]) }
    const [expected, actual] = [await run('js', fn, inputs), await run('onnx', fn, inputs)]
    expect(worstError(actual[0]!.data, expected[0]!.data)).toBeLessThan(TOLERANCE)
  })

  it('and a ReLU within them lets NaN through', async () => {
    const fn: TensorFunction = ({ x, w }) => ({
      y: tf.relu(tf.conv2d(tf.sqrt(tf.sub(tf.abs(x!), 100)) as Images, w as Images, 1, 'same')),
    })
    const [y] = await run('onnx', fn, { x: wiggle([1, 4, 4, 16]), w: wiggle([3, 3, 16, 32]) })
    expect([...y!.data].every(Number.isNaN)).toBe(true)
  })
})

function nodesOf(fn: TensorFunction, shape: readonly number[], lanes: number): readonly OnnxNode[] {
  const { graph, inputs, outputs } = trace('probe', fn, { x: { dtype: 'float32', shape } }, lanes)
  return lower(graph, 'probe', inputs, outputs).onnx.nodes
}

describe('the compiler', () => {
  const stack = (x: tf.Tensor, filters: readonly tf.Tensor[], biases: readonly tf.Tensor[]): tf.Tensor =>
    filters.reduce((maps, filter, i) => {
      return tf.relu(tf.add(tf.conv2d(maps as Images, filter as Images, 1, 'same'), biases[i]!))
    }, x)

  it('leaves images in blocks from one convolution to the next, in both directions, bias and ReLU within', () => {
    const filters = [zeros([3, 3, 3, 32]), zeros([3, 3, 32, 32]), zeros([3, 3, 32, 32])]
    const biases = filters.map(() => zeros([32]))
    const all = [...filters, ...biases]
    const nodes = nodesOf(
      ({ x }) => tf.variableGrads(() => tf.mean(tf.square(stack(x!, filters, biases))) as tf.Scalar, all).grads,
      [16, 8, 8, 3],
      16,
    )
    const convolutions = nodes.filter(({ op }) => op === 'Conv')
    // Three forward, three for the filters, two for the images between them.
    expect(convolutions).toHaveLength(8)
    expect(convolutions.filter(({ attributes }) => attributes['activation'] === 'Relu')).toHaveLength(3)
    expect(nodes.filter(({ op }) => op === 'Relu')).toEqual([])
    const moves = nodes.filter(({ op }) => op === 'Transpose').map(({ attributes }) => attributes['perm'])
    expect(moves).not.toContainEqual([0, 3, 1, 2, 4]) // to blocks
    expect(moves).not.toContainEqual([0, 2, 3, 1, 4]) // from blocks
  })

  it('writes nothing but operators of ONNX where any runtime is to run the graph', () => {
    const [filter, bias] = [zeros([3, 3, 32, 32]), zeros([32])]
    const fn: TensorFunction = ({ x }) => ({ y: stack(x!, [filter], [bias]) })
    expect(nodesOf(fn, [16, 8, 8, 32], 0).map(({ domain }) => domain)).not.toContain('com.microsoft.nchwc')
    expect(nodesOf(fn, [16, 8, 8, 32], 16).map(({ domain }) => domain)).toContain('com.microsoft.nchwc')
  })
})

describe('the width of the blocks', () => {
  it('is one of a vector register, or 0 where there are none', async () => {
    await startEngine({ name: 'onnx', threads: 1 })
    expect([0, 4, 8, 16, 32]).toContain(await convolutionLanes())
  })
})
