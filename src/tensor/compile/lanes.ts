import { InferenceSession, Tensor } from 'onnxruntime-node'
import { engineInfo } from '../engine.ts'
import { BLOCKED_DOMAIN } from './blocks.ts'
import type { OnnxNode } from './onnx-model.ts'
import { encodeModel } from './onnx-model.ts'

let known: Promise<number> | undefined

/**
 * Width of the blocks of channels that ONNX Runtime's direct convolution works on, see `blocked.ts`: 16 with AVX-512, 8 with AVX2. 0 where it
 * is not there or does not compute what it should, as on processors that have none, and for other execution providers than the CPU's.
 */
export async function convolutionLanes(): Promise<number> {
  if (engineInfo().device !== 'cpu') return 0
  known ??= tried().catch(() => 0)
  return known
}

async function tried(): Promise<number> {
  const channels = new Tensor('float32', new Float32Array(4), [1, 4, 1, 1])
  const reorder = { op: 'ReorderInput', domain: BLOCKED_DOMAIN, inputs: ['x'], outputs: ['y'], attributes: {} }
  const lanes = (await run(reorder, { x: channels })).dims[1]!
  return (await convolves(lanes)) ? lanes : 0
}

/** Whether a filter 1x2 over three pixels of one block gives what it should. */
async function convolves(lanes: number): Promise<boolean> {
  const x = Float32Array.from({ length: 3 * lanes }, (_, i) => (i % 7) - 3)
  const filter = Float32Array.from({ length: 2 * lanes * lanes }, (_, i) => (i % 5) - 2)
  const attributes = { kernel_shape: [1, 2], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], group: 1 }
  const conv = { op: 'Conv', domain: BLOCKED_DOMAIN, inputs: ['x', 'filter'], outputs: ['y'], attributes }
  const { data } = await run(conv, {
    x: new Tensor('float32', x, [1, lanes, 1, 3]),
    filter: new Tensor('float32', filter, [lanes, lanes, 1, 2]),
  })
  // Small whole numbers: sums of their products are exact in any order.
  return (data as Float32Array).every((value, i) => {
    const [position, out] = [Math.floor(i / lanes), i % lanes]
    let sum = 0
    for (let k = 0; k < 2 * lanes; k++) sum += x[position * lanes + k]! * filter[k * lanes + out]!
    return value === sum
  })
}

async function run(node: OnnxNode, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const inputs = Object.entries(feeds).map(([name, { dims }]) => ({ name, type: 'float32', shape: dims }) as const)
  const outputs = [{ name: 'y', type: 'float32', shape: [1, -1, 1, -1] }] as const
  const model = encodeModel({ name: 'probe', nodes: [node], inputs, outputs, initializers: [] })
  const session = await InferenceSession.create(model, { executionProviders: ['cpu'], logSeverityLevel: 4 })
  try {
    return (await session.run(feeds))['y']!
  } finally {
    await session.release()
  }
}
