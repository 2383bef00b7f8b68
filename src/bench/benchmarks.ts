import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { Rasterizer } from '../../envs/camera/rasterizer.ts'
import type { PrimitiveSpec } from '../../envs/camera/scene.ts'
import { Scene, setPosition } from '../../envs/camera/scene.ts'
import { makeEnv } from '../../envs/index.ts'
import type { Agent, TransitionBatch } from '../core/agent.ts'
import type { Encoder } from '../core/encoder.ts'
import { ndarray } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import type { DatasetSpec, EpisodeData } from '../core/dataset.ts'
import { boxSpace, imageSpace } from '../core/spaces.ts'
import type { Augmentation } from '../replay/augment.ts'
import { Augmenter } from '../replay/augment.ts'
import { makeSampler } from '../replay/batch-sampler.ts'
import { EpisodeSet } from '../replay/episode-source.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import { differenceForm } from '../compose/goal-forms.ts'
import { latentDistanceReward } from '../compose/goal-rewards.ts'
import { sampleTransitions } from '../replay/sampler.ts'
import { agentPolicy } from '../run/policies.ts'
import { encoderRepresentation } from '../run/representation.ts'
import { compile } from '../tensor/compile/program.ts'
import type { Layer } from '../tensor/layers.ts'
import { activation, conv2d, dense, sequential } from '../tensor/layers.ts'
import { Parameters, valueAndFlatGradient } from '../tensor/parameters.ts'
import { tf } from '../tensor/tf.ts'

/** One thing that is timed. */
export interface Benchmark {
  /** In a few words, for the table. */
  readonly measures: string
  /** Frames, steps, ... of one run: what a rate counts, and what a time is of. */
  readonly unitsPerRun: number
  prepare(): Promise<{ readonly run: () => Promise<unknown>; readonly close: () => Promise<void> }>
}

const SEED = 0
const nothing = async (): Promise<void> => {}

/** Everything that `armature bench` times, by the name of its field. */
export const benchmarks: Readonly<Record<string, Benchmark>> = {
  sac_update_ms: {
    measures: 'one SAC update: 16 observations, 4 actions, 2x256, batch 256',
    unitsPerRun: 1,
    prepare: sacUpdate,
  },
  encoder_update_ms: {
    measures: 'loss and gradients of 4 convolutions and a dense layer, batch 128 of 48x48x9',
    unitsPerRun: 1,
    prepare: encoderUpdate,
  },
  vae_update_ms: {
    measures: 'one beta-VAE update with the networks of RIG, batch 64 of 48x48x3',
    unitsPerRun: 1,
    prepare: vaeUpdate,
  },
  act_ms: {
    measures: 'one frame to one action: encoder and actor',
    unitsPerRun: 1,
    prepare: act,
  },
  camera_fps: {
    measures: 'frames of 64x64 RGB, depth and ids, 12 primitives',
    unitsPerRun: 500,
    prepare: camera,
  },
  env_steps_per_s: {
    measures: 'PushPuck steps with 64x64 RGB, resets included',
    unitsPerRun: 200,
    prepare: envSteps,
  },
  replay_sample_ms: {
    measures: '256 transitions of latents, relabelled and rewarded',
    unitsPerRun: 1,
    prepare: replaySample,
  },
  sample_frames_ms: {
    measures: '64 frames of 48x48x3 of random episodes, shifted, in other hues and brightness',
    unitsPerRun: 1,
    prepare: sampleFrames,
  },
  augment_ms: {
    measures: 'the augmentations of those 64 frames',
    unitsPerRun: 1,
    prepare: augmentFrames,
  },
}

function createAgent(observationSize: number, actionSize: number): Agent {
  const entry = agents.sac!
  return entry.create({ observationSize, actionSize }, entry.configSchema.parse({}), new Rng(SEED))
}

function createVae(architecture: 'spatial' | 'rig'): Encoder {
  const entry = encoders['beta-vae']!
  return entry.create([48, 48, 3], entry.configSchema.parse({ architecture }), new Rng(SEED), 0)
}

/** Pixels of noise. */
export function randomBytes(length: number, rng: Rng): Uint8Array {
  return Uint8Array.from({ length }, () => rng.int(256))
}

/** One update of SAC: observation 16, action 4, hidden 2x256, batch 256; critics, actor, alpha, target, three Adams. */
async function sacUpdate(): ReturnType<Benchmark['prepare']> {
  const [size, observationSize, actionSize] = [256, 16, 4]
  const agent = createAgent(observationSize, actionSize)
  const rng = new Rng(SEED)
  const batch: TransitionBatch = {
    size,
    observation: rng.fillNormal(new Float32Array(size * observationSize)),
    action: rng.fillUniform(new Float32Array(size * actionSize), -1, 1),
    reward: rng.fillNormal(new Float32Array(size)),
    nextObservation: rng.fillNormal(new Float32Array(size * observationSize)),
    discount: new Float32Array(size).fill(0.99),
  }
  return { run: () => agent.update(batch), close: async () => agent.dispose() }
}

/** Forward and gradients of the mean square of a pixel encoder: 4 conv 3x3x32 stride 2, dense 50, batch 128 x 48x48x9. */
async function encoderUpdate(): ReturnType<Benchmark['prepare']> {
  const convs: Layer[] = [9, 32, 32, 32].flatMap((inputChannels, i) => [
    conv2d(`conv${i}`, { inputChannels, outputChannels: 32, kernelSize: 3, stride: 2 }),
    activation(tf.relu),
  ])
  const flatten = activation((x) => tf.reshape(x, [x.shape[0]!, -1]))
  const net = sequential([...convs, flatten, dense('out', { inputSize: 3 * 3 * 32, outputSize: 50 })])
  const parameters = new Parameters(net.parameters, new Rng(SEED))
  const program = compile('encoder update', ({ x }: { x: tf.Tensor }) => {
    const { values, flatGradient } = valueAndFlatGradient(parameters, (weights) => ({
      loss: tf.mean(tf.square(net.apply(weights, x))),
    }))
    return { loss: values.loss, flatGradient }
  })
  const x = ndarray(new Rng(SEED).fillNormal(new Float32Array(128 * 48 * 48 * 9)), [128, 48, 48, 9])
  return {
    run: () => program.run({ x }),
    close: async () => {
      program.dispose()
      parameters.dispose()
    },
  }
}

/** One update of the beta-VAE: the published 48x48 architecture, batch 64, Adam. */
async function vaeUpdate(): ReturnType<Benchmark['prepare']> {
  const encoder = createVae('rig')
  const batch = { frames: randomBytes(64 * 48 * 48 * 3, new Rng(SEED)), count: 64 }
  return { run: async () => encoder.update!(batch), close: async () => encoder.dispose() }
}

/** One 48x48 frame to one action: encoder and actor. */
async function act(): ReturnType<Benchmark['prepare']> {
  const encoder = createVae('spatial')
  const representation = encoderRepresentation(encoder, 'front')
  const agent = createAgent(2 * representation.size, 2)
  const env = { spec: { id: 'benchmark', actionSpace: boxSpace([2], -1, 1) } }
  const policy = agentPolicy({ env, representation, agent, form: differenceForm })
  const images = { front: randomBytes(48 * 48 * 3, new Rng(SEED)) }
  await policy.begin({ images, state: new Float32Array(0) })
  const observation = { images, proprio: new Float32Array(0), state: new Float32Array(0) }
  return {
    run: () => policy.act(observation),
    close: async () => {
      encoder.dispose()
      agent.dispose()
    },
  }
}

/** 64x64 RGB, depth and ids of 12 primitives, 11 of which move. */
async function camera(): ReturnType<Benchmark['prepare']> {
  const shapes: readonly PrimitiveSpec['shape'][] = [
    { kind: 'box', halfExtentsM: [0.03, 0.03, 0.03] },
    { kind: 'cylinder', radiusM: 0.03, heightM: 0.05 },
    { kind: 'sphere', radiusM: 0.03 },
  ]
  const movers = Array.from({ length: 11 }, (_, i): PrimitiveSpec => ({
    name: `object-${i}`,
    shape: shapes[i % shapes.length]!,
    color: [60 + 15 * i, 200 - 12 * i, 90],
  }))
  const table: PrimitiveSpec = {
    name: 'table',
    shape: { kind: 'plane', halfExtentsM: [0.4, 0.4] },
    color: [80, 80, 80],
    isStatic: true,
  }
  const scene = new Scene({
    background: [0, 0, 0],
    lightDirection: [0, 0.3, 1],
    ambient: 0.4,
    primitives: [table, ...movers],
  })
  const spec = { name: 'bench', eyeM: [0, -0.5, 0.6], targetM: [0, 0, 0], fovYDeg: 45 } as const
  const rasterizer = new Rasterizer(scene, spec, { width: 64, height: 64 })
  let frame = 0
  const run = async (): Promise<void> => {
    for (let i = 0; i < benchmarks.camera_fps!.unitsPerRun; i++, frame++) {
      scene.primitives.slice(1).forEach((primitive, k) => {
        const angle = 0.01 * frame + k
        setPosition(primitive, 0.25 * Math.cos(angle), 0.2 * Math.sin(1.3 * angle), 0.03)
      })
      rasterizer.render()
    }
  }
  return { run, close: nothing }
}

/** PushPuck with 64x64 RGB, 20 Hz control and 12 physics steps each, random actions, resets included. */
async function envSteps(): ReturnType<Benchmark['prepare']> {
  const env = await makeEnv('armature/PushPuck-v0', { size: { width: 64, height: 64 } })
  const rng = new Rng(SEED)
  const action = new Float32Array(2)
  await env.reset({ seed: SEED })
  const run = async (): Promise<void> => {
    for (let i = 0; i < benchmarks.env_steps_per_s!.unitsPerRun; i++) {
      const { terminated, truncated } = await env.step(rng.fillUniform(action, -1, 1))
      if (terminated || truncated) await env.reset()
    }
  }
  return { run, close: () => env.close() }
}

/** 256 relabelled transitions with goals and rewards recomputed, from 50,000 of latent size 6. */
async function replaySample(): ReturnType<Benchmark['prepare']> {
  const [featureSize, actionSize, episodes, length] = [6, 2, 1000, 50]
  const capacity = episodes * (length + 1)
  const store = new EpisodeStore({ capacity, featureSize, actionSize, frameSize: 0 })
  const rng = new Rng(SEED)
  const features = (): Float32Array => rng.fillNormal(new Float32Array(featureSize))
  for (let episode = 0; episode < episodes; episode++) {
    store.begin(features(), undefined, { features: features() })
    for (let step = 1; step <= length; step++) {
      const action = rng.fillUniform(new Float32Array(actionSize), -1, 1)
      store.append({ action, reward: 0, terminated: false, truncated: step === length }, features())
    }
  }
  const goals = {
    mix: { kept: 0.2, source: 0.5, future: 0.3 },
    source: { name: 'normal', sample: (from: Rng) => ({ features: from.fillNormal(new Float32Array(featureSize)) }) },
    reward: latentDistanceReward(1),
    form: differenceForm,
  }
  return {
    run: async () => sampleTransitions(store, 256, { gamma: 0.99, nStep: 1 }, rng, goals),
    close: nothing,
  }
}

const AUGMENTATIONS: readonly Augmentation[] = [
  { kind: 'shift', maxPixels: 4 },
  { kind: 'hue', maxDeg: 30 },
  { kind: 'brightness', range: 0.3 },
]

/** 64 frames of 48x48 from 20 episodes of 100 frames, copied and augmented. */
async function sampleFrames(): ReturnType<Benchmark['prepare']> {
  const length = 100
  const none = boxSpace([0], 0, 0)
  const cameras = { front: imageSpace(48, 48) }
  const spec: DatasetSpec = {
    source: 'bench',
    fps: 10,
    cameras,
    actionSpace: none,
    proprioSpace: none,
    stateSpace: none,
  }
  const rng = new Rng(SEED)
  const nothingElse = new Float32Array(0)
  const episodes = Array.from({ length: 20 }, (_, index): EpisodeData => ({
    info: { index, length, terminated: false, policy: 'random', objects: [] },
    images: { front: randomBytes(length * 48 * 48 * 3, rng) },
    proprio: nothingElse,
    state: nothingElse,
    actions: nothingElse,
    rewards: new Float32Array(length - 1),
  }))
  const sampler = makeSampler('frames', new EpisodeSet(spec, episodes), { augment: AUGMENTATIONS }, rng)
  return { run: async () => sampler.sample(64), close: nothing }
}

/** Shift, hue and brightness of 64 frames of 48x48, over and over. */
async function augmentFrames(): ReturnType<Benchmark['prepare']> {
  const rng = new Rng(SEED)
  const frames = randomBytes(64 * 48 * 48 * 3, rng)
  const augmenter = new Augmenter(AUGMENTATIONS, [48, 48, 3])
  return { run: async () => augmenter.apply(frames, 64, rng), close: nothing }
}
