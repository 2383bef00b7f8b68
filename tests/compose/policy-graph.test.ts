import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import { TensorEncoder } from '../../encoders/shared/tensor-encoder.ts'
import type { Parts } from '../../src/compose/parts.ts'
import { differenceForm, goalForm } from '../../src/compose/goal-forms.ts'
import { policyGraph } from '../../src/compose/policy-graph.ts'
import { scaledEncoder } from '../../src/compose/scaled-encoder.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'
import type { Env, Observation } from '../../src/core/env.ts'
import type { FrameFit } from '../../src/core/frame-fit.ts'
import type { GoalForm } from '../../src/core/goals.ts'
import { Rng } from '../../src/core/rng.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import { boxSpace } from '../../src/core/spaces.ts'
import { imitationSchema } from '../../src/config/imitation-config.ts'
import { Demonstration } from '../../src/run/follower.ts'
import { followingRepresentation } from '../../src/run/following.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { encoderRepresentation, pixelRepresentation, proprioRepresentation } from '../../src/run/representation.ts'
import { exportOnnx } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import { tf } from '../../src/tensor/tf.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

/** Latents are the first pixel of each frame that it looks at. */
class FirstPixels extends TensorEncoder {
  constructor(window: EncoderSpec['window'], takesContext: boolean) {
    const latentSize = window.frames + (takesContext ? 1 : 0)
    const batch = { kind: 'frames', options: {} } as const
    super({ name: 'first-pixels', frameShape: [2, 3, 3], latentSize, batch, window, takesContext })
  }

  latentFunction({ frames, context }: FrameTensors): tf.Tensor {
    const marks = (images: tf.Tensor, count: number): tf.Tensor =>
      tf.cast(tf.slice(tf.reshape(images, [-1, count, 18]), [0, 0, 0], [-1, count, 1]), 'float32')
    const own = marks(frames, this.spec.window.frames)
    const all = context === undefined ? own : tf.concat([own, marks(context, 1)], 1)
    return tf.reshape(all, [-1, this.spec.latentSize])
  }
}

class TwoTowers extends FirstPixels {
  override goalFunction(inputs: FrameTensors): tf.Tensor {
    return tf.add(this.latentFunction(inputs), 1000)
  }
}

const frame = (mark: number): Uint8Array => Uint8Array.from({ length: 18 }, (_, i) => (i === 0 ? mark : 255))
const SINGLE = { frames: 1, stride: 1 }
const WINDOW = { frames: 3, stride: 2 }
/** Acts by what it is shown, in [-1, 1]. */
const agent = {
  spec: { name: 'mirror' },
  act: async (input: Float32Array) => input.map((x) => x / 1024),
  policyFunction: ({ observation }: { observation: tf.Tensor }) => tf.mul(observation, 1 / 1024),
} as unknown as Parts['agent']
const parts = (encoder: Encoder, form: GoalForm, actionSpace: BoxSpace, fit?: FrameFit): Parts =>
  ({
    config: { representation: { kind: 'encoder', camera: 'top' }, goals: {} },
    env: { spec: { id: 'test/Env-v0', actionSpace } },
    encoder,
    fit,
    representation: encoderRepresentation(encoder, 'top', 'top', fit),
    agent,
    form,
  }) as unknown as Parts

describe('the graph of a policy acts as the policy does', () => {
  test.each<[string, Encoder, GoalForm?, BoxSpace?]>([
    ['single frames', new FirstPixels(SINGLE, false)],
    ['the goal as it is', new FirstPixels(SINGLE, false), goalForm],
    ['actions in the bounds of the env', new FirstPixels(SINGLE, false), differenceForm, boxSpace([2], -20, 300)],
    ['a window', new FirstPixels(WINDOW, false)],
    ['context', new FirstPixels(SINGLE, true)],
    ['a window, context and a tower for goals', new TwoTowers(WINDOW, true)],
    ['another unit', scaledEncoder(new TwoTowers(WINDOW, true), 2)],
  ])('%s', async (_what, encoder, form: GoalForm = differenceForm, actionSpace = boxSpace([2], -1, 1)) => {
    const run = parts(encoder, form, actionSpace)
    const policy = agentPolicy(run)
    await policy.begin({ images: { top: frame(90) }, state: new Float32Array(0) })
    const seen = [5, 6, 7, 8, 9, 10].map(frame)
    let expected = new Float32Array(0)
    for (const image of seen) {
      const observation = { images: { top: image }, proprio: new Float32Array(0), state: new Float32Array(0) }
      expected = (await policy.act(observation as Observation)) as Float32Array<ArrayBuffer>
    }
    const { inputs, action } = policyGraph(run)
    const { window, takesContext } = encoder.spec
    expect(Object.keys(inputs)).toEqual(['frame', ...(takesContext ? ['start'] : []), 'goal'])
    const shown =
      window.frames === 1 ? seen[5]! : Uint8Array.from([seen[1]!, seen[3]!, seen[5]!].flatMap((x) => [...x]))
    const given: Record<string, Uint8Array> = { frame: shown, start: seen[0]!, goal: frame(90) }
    const session = await InferenceSession.create(exportOnnx('policy', (x) => ({ action: action(x) }), inputs))
    const fed = Object.entries(inputs).map(
      ([name, { shape }]) => [name, new Tensor('uint8', given[name]!, shape)] as const,
    )
    const result = await session.run(Object.fromEntries(fed))
    expect([...(result.action!.data as Float32Array)]).toEqual([...expected])
    await session.release()
    encoder.dispose()
  })
})

describe('raw frames of the camera are fitted within the graph', () => {
  const averaged: FrameFit = { from: [6, 10, 3], to: [2, 3, 3] }
  const cropped: FrameFit = { from: [9, 12, 3], crop: [2, 1, 6, 8], to: [2, 3, 3] }
  test.each<[string, Encoder, FrameFit]>([
    ['averaged', new FirstPixels(SINGLE, false), averaged],
    ['cropped and averaged, with context', new FirstPixels(SINGLE, true), cropped],
    ['each of a window, with a tower for goals', new TwoTowers(WINDOW, true), cropped],
  ])('%s', async (_what, encoder, fit) => {
    const run = parts(encoder, differenceForm, boxSpace([2], -1, 1), fit)
    const rng = new Rng(4)
    const [height, width] = fit.from
    const pictures = Array.from({ length: 7 }, () =>
      Uint8Array.from({ length: height * width * 3 }, () => rng.int(256)),
    )
    const [wanted, ...seen] = pictures as [Uint8Array, ...Uint8Array[]]
    const policy = agentPolicy(run)
    await policy.begin({ images: { top: wanted }, state: new Float32Array(0) })
    let expected = new Float32Array(0)
    for (const image of seen) {
      const observation = { images: { top: image }, proprio: new Float32Array(0), state: new Float32Array(0) }
      expected = (await policy.act(observation as Observation)) as Float32Array<ArrayBuffer>
    }
    const { inputs, action } = policyGraph(run)
    const frames = encoder.spec.window.frames === 1 ? [seen[5]!] : [seen[1]!, seen[3]!, seen[5]!]
    expect(inputs['frame']!.shape).toEqual([1, ...(frames.length === 1 ? [] : [3]), ...fit.from])
    expect(inputs['goal']!.shape).toEqual([1, ...fit.from])
    const given: Record<string, Uint8Array> = {
      frame: Uint8Array.from(Buffer.concat(frames)),
      start: seen[0]!,
      goal: wanted,
    }
    const session = await InferenceSession.create(exportOnnx('policy', (x) => ({ action: action(x) }), inputs))
    const fed = Object.entries(inputs).map(
      ([name, { shape }]) => [name, new Tensor('uint8', given[name]!, shape)] as const,
    )
    const result = await session.run(Object.fromEntries(fed))
    expect([...(result.action!.data as Float32Array)]).toEqual([...expected])
    expect(new Set(expected).size).toBeGreaterThan(1)
    await session.release()
    encoder.dispose()
  })
})

test('frames that the agent itself looks at are stacked within the graph', async () => {
  const lookingAgent = {
    spec: { name: 'looking' },
    act: async (input: Float32Array, _count: number, _mode: string, frames: Uint8Array) =>
      // Red of the first pixel, now and two steps before.
      Float32Array.of(frames[36]! / 256 + input[0]!, frames[0]! / 256),
    policyFunction: ({ observation, frames }: { observation: tf.Tensor; frames: tf.Tensor }) => {
      const bytes = tf.cast(tf.reshape(frames, [1, -1]), 'float32')
      const reds = tf.mul(tf.concat([tf.slice(bytes, [0, 36], [1, 1]), tf.slice(bytes, [0, 0], [1, 1])], 1), 1 / 256)
      return tf.add(reds, tf.concat([observation, tf.zeros([1, 1])], 1))
    },
  }
  const representation = { kind: 'pixels', camera: 'top', stack: 3, proprio: true } as const
  const spec = {
    id: 'test/Env-v0',
    actionSpace: boxSpace([2], -1, 1),
    proprioSpace: boxSpace([1], -1, 1),
    imageSpaces: { top: { shape: [2, 3, 3] } },
  }
  const env = { spec } as unknown as Parts['env']
  const run = {
    config: { representation },
    env,
    representation: pixelRepresentation(env, representation),
    agent: lookingAgent,
  } as unknown as Parts
  const policy = agentPolicy(run)
  await policy.begin()
  let expected = new Float32Array(0)
  for (const mark of [10, 20, 30, 40]) {
    const observation = { images: { top: frame(mark) }, proprio: Float32Array.of(0.25), state: new Float32Array(0) }
    expected = (await policy.act(observation as Observation)) as Float32Array<ArrayBuffer>
  }
  expect([...expected]).toEqual([40 / 256 + 0.25, 20 / 256])
  const { inputs, action } = policyGraph(run)
  expect(Object.entries(inputs).map(([name, { shape }]) => [name, shape])).toEqual([
    ['frame', [1, 3, 2, 3, 3]],
    ['proprio', [1, 1]],
  ])
  const session = await InferenceSession.create(exportOnnx('policy', (x) => ({ action: action(x) }), inputs))
  const window = Uint8Array.from([20, 30, 40].flatMap((mark) => [...frame(mark)]))
  const result = await session.run({
    frame: new Tensor('uint8', window, [1, 3, 2, 3, 3]),
    proprio: new Tensor('float32', Float32Array.of(0.25), [1, 1]),
  })
  expect([...(result.action!.data as Float32Array)]).toEqual([...expected])
  await session.release()
})

describe('a policy that follows a demonstration', () => {
  test.each([
    ['time', 'latents'],
    ['nearest', 'latents'],
    ['nearest', 'proprio'],
  ] as const)('by %s acts by %s as its graph does, which is fed its own moment', async (alignment, sees) => {
    const encoder = new FirstPixels(SINGLE, false)
    const demonstration = new Demonstration(1)
    demonstration.learn(Float32Array.of(10, 20, 30, 40, 60, 90))
    const imitation = imitationSchema.parse({ alignment, pace: 0.1, reach: 2 })
    const eye = encoderRepresentation(encoder, 'top')
    const seen =
      sees === 'proprio' ? proprioRepresentation({ spec: { proprioSpace: boxSpace([1], -1, 1) } } as Env) : undefined
    const run = {
      ...parts(encoder, goalForm, boxSpace([2], -1, 1)),
      config: { representation: { kind: 'encoder', camera: 'top', sees }, imitation },
      env: { spec: { id: 'test/Env-v0', actionSpace: boxSpace([2], -1, 1), proprioSpace: boxSpace([1], -1, 1) } },
      representation: followingRepresentation({ eye, seen, demonstration, options: imitation }),
      form: undefined,
      demonstration,
    } as unknown as Parts
    const policy = agentPolicy(run)
    await policy.begin()
    const { inputs, action, moment } = policyGraph(run)
    expect(Object.keys(inputs)).toEqual(['frame', ...(sees === 'proprio' ? ['proprio'] : []), 'moment'])
    const graph = exportOnnx('policy', (x) => ({ action: action(x), nextMoment: moment!.next(x) }), inputs)
    const session = await InferenceSession.create(graph)
    let at = Float32Array.of(-1)
    // Nearest, too far ahead, back again, between two moments, so long at one place that the next moment counts, past the end.
    for (const mark of [40, 21, 60, 10, 35, ...Array<number>(12).fill(45), 90, 90, 200]) {
      const proprio = Float32Array.of(mark / 100)
      const observation = { images: { top: frame(mark) }, proprio, state: new Float32Array(0) }
      const expected = await policy.act(observation)
      const result = await session.run({
        frame: new Tensor('uint8', frame(mark), [1, 2, 3, 3]),
        moment: new Tensor('float32', at, [1, 1]),
        ...(sees === 'proprio' && { proprio: new Tensor('float32', proprio, [1, 1]) }),
      })
      at = result.nextMoment!.data as Float32Array<ArrayBuffer>
      expect([...(result.action!.data as Float32Array)]).toEqual([...expected])
    }
    expect(at[0]).toBe(5)
    await session.release()
    encoder.dispose()
  })

  test('is refused where it sees privileged state', () => {
    const run = { config: { representation: { kind: 'encoder', sees: 'state' }, imitation: {} } } as unknown as Parts
    expect(() => policyGraph(run)).toThrow('export: got a policy that sees privileged state')
  })
})
