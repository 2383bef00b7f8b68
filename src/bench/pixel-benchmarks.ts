import { encoders } from '../../encoders/index.ts'
import { featuresOf } from '../compose/learned-network.ts'
import { makeAgent } from '../compose/make.ts'
import { isLearning } from '../core/encoder.ts'
import type { Learner } from '../core/learner.ts'
import { Rng } from '../core/rng.ts'
import { Augmenter } from '../replay/augment.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import { agentLearner, encoderLearner } from '../run/learners.ts'
import type { Benchmark } from './benchmarks.ts'
import { randomBytes } from './benchmarks.ts'

const SEED = 0
const SHAPE = [48, 48, 3] as const
const STACK = 3
const BATCH = 64
const ACTION_SIZE = 2
const [EPISODES, LENGTH] = [5, 40]

/** The trunk of the papers: flat, 32 filters. */
const PAPER = { latentSize: 50, filters: 32 }
/** Encoder and settings of each method that learns from pixels, and those of what `armature train pixels` does; then what the agent has besides. */
const METHODS: Readonly<Record<string, readonly [encoder: string, config: object, agent?: object]>> = {
  pixels: ['trunk', { readout: 'positions' }, { selfPrediction: 1 }],
  sac_pixels: ['trunk', PAPER],
  curl: ['curl', PAPER],
  sac_ae: ['autoencoder', { ...PAPER, architecture: 'trunk', targetBits: 5, latentPenalty: 1e-6, decoderDecay: 1e-7 }],
  deepmdp: ['deepmdp', PAPER],
  dbc: ['dbc', PAPER],
}

/** One update of everything that learns, drawing its batches included: SAC through the encoder's network, then the encoder by its own loss. */
export function pixelBenchmarks(): Readonly<Record<string, Benchmark>> {
  const measures = `an update of agent and encoder, batch ${BATCH} of ${STACK} frames of 48x48x3, drawn from replay`
  return Object.fromEntries(
    Object.entries(METHODS).map(([name, method]) => [
      `${name}_update_ms`,
      { measures: `${name.replaceAll('_', '-')}: ${measures}`, unitsPerRun: 1, prepare: () => update(...method) },
    ]),
  )
}

async function update(name: string, config: object, agentConfig: object = {}): ReturnType<Benchmark['prepare']> {
  const rng = new Rng(SEED)
  const entry = encoders[name]!
  const settings = entry.configSchema.parse(config)
  const encoder = entry.createForStack!([STACK, ...SHAPE], settings, rng.split('encoder'), ACTION_SIZE)
  const spec = { observationSize: 0, actionSize: ACTION_SIZE }
  const agent = makeAgent('sac', spec, rng.split('agent'), { hidden: [256, 256], ...agentConfig }, featuresOf(encoder))
  const store = noise(rng)
  const augmenter = new Augmenter([{ kind: 'shift', maxPixels: 3 }], SHAPE)
  const frames = { frameShape: SHAPE, stack: STACK, augmenter }
  const schedule = { startsAt: 0, every: 1, updates: 1, batchSize: BATCH }
  const learners: Learner[] = [
    agentLearner(agent, [store], { ...schedule, sampling: { gamma: 0.99, nStep: 3, frames } }, rng),
  ]
  if (isLearning(encoder)) {
    learners.push(
      encoderLearner(
        encoder,
        [store],
        { ...schedule, seen: { camera: 'front', frameShape: SHAPE, stack: STACK } },
        rng,
      ),
    )
  }
  return {
    run: async () => {
      for (const learner of learners) await learner.step()
    },
    close: async () => {
      agent.dispose()
      encoder.dispose()
    },
  }
}

/** Episodes of noise. */
function noise(rng: Rng): EpisodeStore {
  const frameSize = SHAPE[0] * SHAPE[1] * SHAPE[2]
  const store = new EpisodeStore({ capacity: 1000, featureSize: 0, actionSize: ACTION_SIZE, frameSize })
  const nothing = new Float32Array(0)
  for (let episode = 0; episode < EPISODES; episode++) {
    store.begin(nothing, randomBytes(frameSize, rng))
    for (let time = 1; time < LENGTH; time++) {
      const action = rng.fillUniform(new Float32Array(ACTION_SIZE), -1, 1)
      const step = { action, reward: rng.uniform(0, 1), terminated: false, truncated: time === LENGTH - 1 }
      store.append(step, nothing, randomBytes(frameSize, rng))
    }
  }
  return store
}
