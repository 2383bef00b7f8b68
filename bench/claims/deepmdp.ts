/**
 * DeepMDP on a ring: is the way along the ring the distance of latents, where pixels know only whether two dots overlap? And where the dot
 * slips, which model of the next latent says truly how unsure it is?
 *
 *   npx tsx bench/claims.ts deepmdp --seeds 3
 */
import type { DeepMdp } from '../../encoders/deepmdp/deepmdp.ts'
import { ringArcM } from '../../envs/tasks/ring-world.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { concatenated } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { measureEpisodes } from '../../src/evaluate/measures/measures.ts'
import type { Claim, Scores } from './claim.ts'
import { embedEpisodes, recordEpisodes, trainEncoder } from './laboratory.ts'
import type { Recording } from './laboratory.ts'

const CAMERA = 'front'
const [EPISODES, TEST_EPISODES, LENGTH] = [200, 60, 51]
/** Slips have a random action in place of the one that was given. */
const SLIP_PERCENT = 30
const UPDATES = 1500

interface Variant {
  readonly encoder: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly slips?: boolean
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  deepmdp: { encoder: 'deepmdp' },
  'deepmdp, without smoothness': { encoder: 'deepmdp', config: { smoothness: 0 } },
  'deepmdp, paper': { encoder: 'deepmdp', config: { relative: false, smoothness: 0, lipschitz: 0.01 } },
  "deepmdp, today's": {
    encoder: 'deepmdp',
    config: { target: 'momentum', unroll: 5, reward: 'two-hot', smoothness: 0 },
  },
  autoencoder: { encoder: 'autoencoder', config: { architecture: 'trunk', latentSize: 32 } },
  'autoencoder, rig': { encoder: 'autoencoder', config: { architecture: 'rig', latentSize: 32 } },
  'autoencoder, spatial': { encoder: 'autoencoder', config: { latentSize: 32 } },
  pca: { encoder: 'pca', config: { latentSize: 32 } },
  'slip, deterministic': { encoder: 'deepmdp', slips: true },
  'slip, gaussian': { encoder: 'deepmdp', config: { transition: 'gaussian' }, slips: true },
  'slip, energy': { encoder: 'deepmdp', config: { transition: 'energy' }, slips: true },
}

export const deepMdpClaim: Claim = {
  name: 'deepmdp',
  variants: Object.keys(VARIANTS),
  columns: {
    arc_spearman: 'Spearman of latent distance and way along the ring (>= .95; autoencoder <= .6)',
    miscalibration:
      'of where the next latent falls among samples of the model, per dimension: 0 true, .25 a point beside it',
    residual_miscalibration: 'the same with the spread of its errors on training data added to each prediction',
    energy_score:
      'E|z - y| - E|y - y| / 2 of the next latent z and samples y, in spreads of the latents; lower is better',
  },
  async run(variant, seed): Promise<Scores> {
    const { encoder: name, config = {}, slips = false } = VARIANTS[variant]!
    const envOptions = { size: { width: 32, height: 32 }, slipPercent: slips ? SLIP_PERCENT : 0 }
    const record = (episodes: number, from: number): Promise<Recording> =>
      recordEpisodes({ env: 'armature/RingWorld-v0', envOptions, episodes, length: LENGTH, seed: from })
    const training = await record(EPISODES, 1000 + seed)
    const test = await record(TEST_EPISODES, 2000 + seed)
    const options = { encoder: name, config, camera: CAMERA, updates: UPDATES, batchSize: 32, seed }
    const encoder = await trainEncoder(training, options)
    const ring = await arcSpearman(encoder, test)
    const scores = slips
      ? { ...ring, ...(await calibration(encoder as DeepMdp, config['transition'] === undefined, training, test)) }
      : ring
    encoder.dispose()
    return scores
  },
}

async function arcSpearman(encoder: Encoder, test: Recording): Promise<Scores> {
  const data = { ...(await embedEpisodes(encoder, test, CAMERA)), stateDistance: ringArcM }
  const only = ['distance/spearman_pairs']
  const [measured] = measureEpisodes(data, { rng: new Rng(0), only }).measurements
  return { arc_spearman: measured!.interval.estimate }
}

/** Steps in latent space. */
interface Steps {
  readonly count: number
  /** [count, D] */
  readonly before: Float32Array
  readonly after: Float32Array
  /** [count, 1] */
  readonly actions: Float32Array
}

async function stepsOf(encoder: Encoder, recording: Recording): Promise<Steps> {
  const { episodes, embeddingSize: size } = await embedEpisodes(encoder, recording, CAMERA)
  const actions = concatenated(recording.episodes.map((episode) => episode.actions))
  return {
    count: actions.length,
    before: concatenated(episodes.map(({ embeddings }) => embeddings.subarray(0, -size))),
    after: concatenated(episodes.map(({ embeddings }) => embeddings.subarray(size))),
    actions,
  }
}

/** Samples of each next latent. */
const SAMPLES = 50

async function calibration(encoder: DeepMdp, isPoint: boolean, training: Recording, test: Recording): Promise<Scores> {
  const size = encoder.spec.latentSize
  const rng = new Rng(0)
  const steps = await stepsOf(encoder, test)
  const samples = await encoder.predict(steps.before, steps.actions, SAMPLES, rng)
  const seen = await stepsOf(encoder, { ...training, episodes: training.episodes.slice(0, 40) })
  const errors = await encoder.predict(seen.before, seen.actions, 1, rng)
  const residualStd = Float64Array.from({ length: size }, (_, d) => {
    let squares = 0
    for (let row = 0; row < seen.count; row++) squares += (errors[row * size + d]! - seen.after[row * size + d]!) ** 2
    return Math.sqrt(squares / seen.count)
  })
  const widened = samples.map((value, i) => value + residualStd[i % size]! * rng.normal())
  return {
    miscalibration: miscalibration(samples, steps.after, size),
    ...(isPoint && { residual_miscalibration: miscalibration(widened, steps.after, size) }),
    energy_score: energyScore(samples, steps.after, size) / spreadOf(steps.after, size),
  }
}

/**
 * Mean over dimensions of the area between the distribution of ranks (the share of samples below what came) and the uniform one: 0 where
 * the model's distribution is the true one, 0.25 where samples are one point with as much of the truth on either side.
 */
function miscalibration(samples: Float32Array, observed: Float32Array, size: number): number {
  const count = observed.length / size
  let area = 0
  for (let d = 0; d < size; d++) {
    const ranks = Float64Array.from({ length: count }, (_, row) => {
      let below = 0
      for (let s = 0; s < SAMPLES; s++) {
        const sample = samples[(s * count + row) * size + d]!
        const truth = observed[row * size + d]!
        below += sample < truth ? 1 : sample === truth ? 0.5 : 0
      }
      return below / SAMPLES
    }).toSorted()
    area += ranks.reduce((sum, rank, i) => sum + Math.abs(rank - (i + 0.5) / count), 0) / count
  }
  return area / size
}

/** Mean over rows of E|z - y| - E|y - y'| / 2 (Gneiting & Raftery 2007): least where y has the distribution of z. */
function energyScore(samples: Float32Array, observed: Float32Array, size: number): number {
  const count = observed.length / size
  const between = (a: Float32Array, i: number, b: Float32Array, j: number): number => {
    let squares = 0
    for (let d = 0; d < size; d++) squares += (a[i * size + d]! - b[j * size + d]!) ** 2
    return Math.sqrt(squares)
  }
  let score = 0
  for (let row = 0; row < count; row++) {
    for (let s = 0; s < SAMPLES; s++) {
      const at = s * count + row
      const next = ((s + 1) % SAMPLES) * count + row
      score += between(samples, at, observed, row) - between(samples, at, samples, next) / 2
    }
  }
  return score / (count * SAMPLES)
}

/** Root mean square distance of rows from their mean. */
function spreadOf(rows: Float32Array, size: number): number {
  const count = rows.length / size
  let variance = 0
  for (let d = 0; d < size; d++) {
    let [sum, squares] = [0, 0]
    for (let row = 0; row < count; row++) {
      sum += rows[row * size + d]!
      squares += rows[row * size + d]! ** 2
    }
    variance += squares / count - (sum / count) ** 2
  }
  return Math.sqrt(variance)
}
