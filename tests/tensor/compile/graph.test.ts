import { describe, expect, it } from 'vitest'
import { lower } from '../../../src/tensor/compile/lower.ts'
import type { OnnxGraph } from '../../../src/tensor/compile/onnx-model.ts'
import { trace } from '../../../src/tensor/compile/trace.ts'
import { stopGradient } from '../../../src/tensor/gradients.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { zeros } from './owned-variables.ts'

type Inputs = Record<string, tf.Tensor>

function graphOf(
  fn: (inputs: Inputs) => Inputs,
  shape: readonly number[],
  dtype: 'float32' | 'uint8' = 'float32',
): OnnxGraph {
  const { graph, inputs, outputs, assigned } = trace('probe', fn, { x: { dtype, shape } })
  const writes = assigned.map(({ value }, i) => ({ name: `assign${i}`, value }))
  return lower(graph, 'probe', inputs, [...outputs, ...writes]).onnx
}

function count(graph: OnnxGraph, op: string): number {
  return graph.nodes.filter((node) => node.op === op).length
}

/** Loss, and gradients of everything in `weights`. */
function gradients(weights: readonly tf.Variable[], loss: () => tf.Tensor): Inputs {
  const { value, grads } = tf.variableGrads(loss as () => tf.Scalar, [...weights])
  return { loss: value, ...grads }
}

describe('the compiler', () => {
  it('computes nothing that no output needs, and nothing twice', () => {
    const graph = graphOf(
      ({ x }) => {
        const unused = tf.exp(x!)
        tf.sqrt(unused)
        return { y: tf.add(tf.cos(x!), tf.cos(x!)) }
      },
      [3],
    )
    expect(graph.nodes.map((node) => node.op)).toEqual(['Cos', 'Add'])
  })

  it('takes eight products for a step of a three-layer network: no gradient of its input', () => {
    const weights = [zeros([4, 8]), zeros([8, 8]), zeros([8, 2])]
    const graph = graphOf(
      ({ x }) =>
        gradients(weights, () => {
          const hidden = weights.slice(0, 2).reduce<tf.Tensor>((h, w) => tf.relu(tf.matMul(h, w as tf.Tensor)), x!)
          return tf.mean(tf.square(tf.matMul(hidden, weights[2] as tf.Tensor)))
        }),
      [16, 4],
    )
    // 3 forward, 3 for the weights, 2 for the hidden layers
    expect(count(graph, 'Gemm')).toBe(8)
    expect(count(graph, 'Transpose')).toBe(0)
  })

  it('sends nothing back through what a loss takes for a constant', () => {
    const [first, second] = [zeros([4, 4]), zeros([4, 4])]
    const graph = graphOf(
      ({ x }) =>
        gradients([first, second], () => {
          const network = (rows: tf.Tensor): tf.Tensor =>
            tf.matMul(tf.tanh(tf.matMul(rows, first as tf.Tensor)), second as tf.Tensor)
          return tf.mean(tf.square(tf.sub(network(x!), stopGradient(network(tf.square(x!))))))
        }),
      [16, 4],
    )
    // Two for each pass forward, two for the weights, one for the hidden layer.
    expect(count(graph, 'Gemm')).toBe(7)
  })

  it('adds biases within the products', () => {
    const [w, b] = [zeros([4, 8]), zeros([8])]
    const graph = graphOf(({ x }) => ({ y: tf.relu(tf.add(tf.matMul(x!, w as tf.Tensor), b)) }), [16, 4])
    expect(graph.nodes.map((node) => [node.op, node.inputs.length])).toEqual([
      ['Gemm', 3],
      ['Relu', 1],
    ])
  })

  it('makes one product of the many that the gradient of a recurrent weight adds up', () => {
    const [w, bias] = [zeros([4, 4]), zeros([4])]
    const steps = 12
    const graph = graphOf(
      ({ x }) =>
        gradients([w, bias], () => {
          let hidden: tf.Tensor = x!
          for (let i = 0; i < steps; i++) hidden = tf.tanh(tf.add(tf.matMul(hidden, w as tf.Tensor), bias))
          return tf.mean(tf.square(hidden))
        }),
      [3, 4],
    )
    // One per step forward, one per step but the first back, one for each gradient.
    expect(count(graph, 'Gemm')).toBe(steps + (steps - 1) + 2)
    expect(count(graph, 'Concat')).toBe(2)
    expect(count(graph, 'Add')).toBe(0)
  })

  it('gathers the patches of a convolution once for both passes, without a transpose', () => {
    const [first, second] = [zeros([3, 3, 2, 4]), zeros([3, 3, 4, 4])]
    const graph = graphOf(
      ({ x }) =>
        gradients([first, second], () => {
          const features = tf.relu(tf.conv2d(x as tf.Tensor4D, first as tf.Tensor as tf.Tensor4D, 2, 'valid'))
          return tf.mean(tf.conv2d(features as tf.Tensor4D, second as tf.Tensor as tf.Tensor4D, 1, 'valid'))
        }),
      [2, 9, 9, 2],
    )
    const large = graph.nodes.filter((node) => node.op === 'Gather' && node.attributes['axis'] === 1)
    // Patches of either layer, and the positions around each pixel for the second layer's input.
    expect(large).toHaveLength(3)
  })

  it('puts bias and activation of a transposed convolution before its pixels are put in order', () => {
    const [filter, bias] = [zeros([6, 6, 3, 8]), zeros([3])]
    const graph = graphOf(
      ({ x }) => {
        const images = tf.conv2dTranspose(
          x as tf.Tensor4D,
          filter as tf.Tensor as tf.Tensor4D,
          [2, 18, 18, 3],
          3,
          'valid',
        )
        return { y: tf.relu(tf.add(images, bias)) }
      },
      [2, 5, 5, 8],
    )
    const ops = graph.nodes.map((node) => node.op)
    expect(ops.filter((op) => op === 'Gemm')).toHaveLength(1)
    expect(ops).not.toContain('Add')
    expect(ops.lastIndexOf('Transpose')).toBeGreaterThan(ops.indexOf('Relu'))
  })

  it('reads pieces of a variable in place, and splits a computed vector once', () => {
    const flat = zeros([14])
    const graph = graphOf(
      ({ x }) => {
        const [a, b] = tf.split(flat, [8, 6]) as [tf.Tensor, tf.Tensor]
        const computed = tf.mul(flat, x!)
        const pieces = [tf.slice(computed, [0], [4]), tf.slice(computed, [4], [4]), tf.slice(computed, [10], [4])]
        return { y: tf.matMul(tf.reshape(a, [4, 2]), tf.reshape(b, [2, 3])), z: tf.addN(pieces) }
      },
      [14],
    )
    expect(graph.inputs.map(({ shape }) => shape)).toEqual([[14], [14], [4, 2], [2, 3]])
    expect([count(graph, 'Split'), count(graph, 'Slice'), count(graph, 'Reshape')]).toEqual([1, 0, 0])
  })

  it('casts bytes once, after they were moved', () => {
    const graph = graphOf(({ x }) => ({ y: tf.cast(tf.transpose(x!), 'float32') }), [2, 3], 'uint8')
    expect(graph.nodes.map((node) => node.op)).toEqual(['Transpose', 'Cast'])
  })

  it('does not execute broadcasts, reshapes of reshapes, neutral operands or arithmetic on numbers', () => {
    const graph = graphOf(
      ({ x }) => {
        const numbers = tf.mul(tf.ones([4, 6]), tf.add(tf.scalar(2), 1))
        const tall = tf.tile(tf.reshape(tf.reshape(x!, [24]), [4, 6]), [1, 1])
        return { y: tf.div(tf.add(tf.mul(tall, numbers), tf.zeros([4, 6])), 1) }
      },
      [4, 6],
    )
    expect(graph.nodes.map((node) => node.op)).toEqual(['Mul'])
  })
})
