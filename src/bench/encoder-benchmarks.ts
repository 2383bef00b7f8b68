import type { EncoderEntry } from '../../encoders/index.ts'
import { encoders } from '../../encoders/index.ts'
import type { DatasetSpec, EpisodeData } from '../core/dataset.ts'
import { encoderInput } from '../core/encoder-input.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import { Rng } from '../core/rng.ts'
import { boxSpace, imageSpace } from '../core/spaces.ts'
import type { BatchOptions } from '../replay/batch-sampler.ts'
import { makeSampler } from '../replay/batch-sampler.ts'
import { EpisodeSet } from '../replay/episode-source.ts'
import type { Benchmark } from './benchmarks.ts'
import { randomBytes } from './benchmarks.ts'

const SEED = 0
const SHAPE = [48, 48, 3] as const
const FRAME_SIZE = 48 * 48 * 3
const BATCH = 64
const ACTION_SIZE = 4
const [EPISODES, LENGTH] = [4, 40]

/**
 * What `armature bench encoders` times, by the name of its field, e.g. `encoder_cc_vae_update_ms`: an update of every encoder that learns,
 * with its default settings, on 64 rows of 48x48 of whatever it learns from; and one input among 64 that are encoded together.
 */
export function encoderBenchmarks(): Readonly<Record<string, Benchmark>> {
  const benchmarks: Record<string, Benchmark> = {}
  for (const [name, entry] of Object.entries(encoders)) {
    const field = `encoder_${name.replaceAll('-', '_')}`
    // Those with presets are those that learn.
    if (entry.presets !== undefined) {
      const measures = `an update of ${name}, batch ${BATCH} of 48x48x3`
      benchmarks[`${field}_update_ms`] = { measures, unitsPerRun: 1, prepare: () => updates(entry) }
    }
    const measures = `an input of ${name} encoded, of ${BATCH} at once`
    benchmarks[`${field}_encode_ms`] = { measures, unitsPerRun: BATCH, prepare: () => encoding(entry) }
  }
  return benchmarks
}

function create(entry: EncoderEntry): Encoder {
  return entry.create(SHAPE, entry.configSchema.parse({}), new Rng(SEED), ACTION_SIZE)
}

/** The same batch again and again: drawing one is not part of it. */
async function updates(entry: EncoderEntry): ReturnType<Benchmark['prepare']> {
  const encoder = create(entry)
  const { kind, options } = encoder.spec.batch
  const sampler = { ...(kind !== 'multi-view' && { camera: 'front' }), ...options } as BatchOptions[typeof kind]
  const batch = makeSampler(kind, episodes(), sampler, new Rng(SEED)).sample(BATCH)
  if (!isLearning(encoder)) throw new TypeError(`${encoder.spec.name} does not learn`)
  return { run: () => encoder.update(batch), close: async () => encoder.dispose() }
}

async function encoding(entry: EncoderEntry): ReturnType<Benchmark['prepare']> {
  const encoder = create(entry)
  const frames = randomBytes(LENGTH * FRAME_SIZE, new Rng(SEED))
  await encoder.fitStatistics?.({ frames, count: LENGTH })
  const times = Array.from({ length: BATCH }, (_, i) => i % LENGTH)
  const input = encoderInput(encoder.spec, times, (_row, time) =>
    frames.subarray(time * FRAME_SIZE, (time + 1) * FRAME_SIZE),
  )
  return { run: () => encoder.encode(input), close: async () => encoder.dispose() }
}

/** Noise by two cameras, one of which stands for that of Grasp2Vec's outcomes; actions and rewards. */
function episodes(): EpisodeSet {
  const camera = imageSpace(SHAPE[0], SHAPE[1])
  const spec: DatasetSpec = {
    source: 'bench',
    fps: 10,
    cameras: { front: camera, outcome: camera },
    actionSpace: boxSpace([ACTION_SIZE], -1, 1),
    proprioSpace: boxSpace([0], 0, 0),
    stateSpace: boxSpace([0], 0, 0),
  }
  const rng = new Rng(SEED)
  const data = Array.from({ length: EPISODES }, (_, index): EpisodeData => ({
    info: { index, length: LENGTH, terminated: false, policy: 'random', objects: [] },
    images: {
      front: randomBytes(LENGTH * FRAME_SIZE, rng),
      outcome: randomBytes(LENGTH * FRAME_SIZE, rng),
    },
    proprio: new Float32Array(0),
    state: new Float32Array(0),
    actions: rng.fillUniform(new Float32Array((LENGTH - 1) * ACTION_SIZE), -1, 1),
    rewards: rng.fillUniform(new Float32Array(LENGTH - 1)),
  }))
  return new EpisodeSet(spec, data)
}
