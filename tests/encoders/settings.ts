import { encoders } from '../../encoders/index.ts'
import { TrainedEncoder } from '../../encoders/shared/tensor-encoder.ts'
import type { BatchKind } from '../../src/core/batches.ts'
import type { Encoder, LearningEncoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import type { EncoderCaseOptions } from '../contracts/encoder-cases.ts'

/** Methods whose cases need no 48x48: small frames and networks, so that compiling them takes most of the time. */
const SMALL = { latentSize: 6, filters: 8, layers: 2 }
const SMALL_SHAPE = [20, 24, 3] as const
export const ENCODER_CASES: Readonly<Record<string, readonly EncoderCaseOptions[]>> = {
  'beta-vae': [{}, { config: { architecture: 'rig' }, frameShape: [60, 80, 3] }],
  autoencoder: [
    {},
    {
      config: { ...SMALL, architecture: 'trunk', targetBits: 5, latentPenalty: 1e-6, decoderDecay: 1e-7 },
      frameShape: SMALL_SHAPE,
    },
  ],
  'cc-vae': [{}],
  grasp2vec: [{ config: { width: 4, failures: 'to-zero' }, frameShape: SMALL_SHAPE }],
  tcn: [
    { config: { width: 4, hidden: 16 }, frameShape: SMALL_SHAPE },
    { config: { width: 4, hidden: 16, views: 'single', loss: 'triplet', rowsPerEpisode: 8 }, frameShape: SMALL_SHAPE },
  ],
  mftcn: [
    { config: { width: 4, hidden: 16 }, frameShape: SMALL_SHAPE },
    { config: { width: 4, hidden: 16, frames: 1, loss: 'triplet' }, frameShape: SMALL_SHAPE },
  ],
  curl: [{ config: SMALL, frameShape: SMALL_SHAPE }],
  deepmdp: [
    { config: { ...SMALL, hidden: 16 }, frameShape: SMALL_SHAPE },
    {
      config: { ...SMALL, hidden: 16, transition: 'gaussian', unroll: 3, target: 'momentum', reward: 'two-hot' },
      frameShape: SMALL_SHAPE,
    },
    {
      config: { ...SMALL, hidden: 16, transition: 'energy', target: 'online', lipschitz: 0.01 },
      frameShape: SMALL_SHAPE,
    },
  ],
  dbc: [
    { config: { ...SMALL, hidden: 16 }, frameShape: SMALL_SHAPE },
    {
      config: { ...SMALL, hidden: 16, form: 'released', ensemble: 3, normBound: 0.5, inverseWeight: 1 },
      frameShape: SMALL_SHAPE,
    },
  ],
}

/** A learned encoder with settings that make it small. */
export interface SmallEncoder {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
}

/** Every learned encoder of the catalogue in every form of {@link ENCODER_CASES}. */
export const LEARNED: readonly SmallEncoder[] = Object.entries(encoders)
  .filter(([, { presets }]) => presets !== undefined)
  .flatMap(([name]) => (ENCODER_CASES[name] ?? [{}]).map(({ config = {} }) => ({ name, config })))

/** One of {@link LEARNED} for frames [height, width, channels]. */
export function makeSmall(
  { name, config }: SmallEncoder,
  frameShape: Encoder['spec']['frameShape'],
): TrainedEncoder<BatchKind> & LearningEncoder {
  const entry = encoders[name]!
  const encoder = entry.create(frameShape, entry.configSchema.parse(config), new Rng(1), 2)
  if (!(encoder instanceof TrainedEncoder)) throw new Error(`${name} does not learn by gradient steps`)
  return encoder
}
