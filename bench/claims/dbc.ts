/**
 * DBC before moving backgrounds: does it forget the background and keep what the task is about, where an autoencoder does the reverse? What
 * becomes of it where rewards are sparse? And are its distances those of the bisimulation metric, where that can be computed?
 *
 *   npx tsx bench/claims.ts dbc --seeds 3
 */
import { reachExpert } from '../../envs/experts/reach.ts'
import type { EpisodeData } from '../../src/core/dataset.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import type { Env, Observation } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { rowDistance } from '../../src/evaluate/measures/embedded-episodes.ts'
import { measureEpisodes } from '../../src/evaluate/measures/measures.ts'
import { spearman } from '../../src/evaluate/statistics.ts'
import type { Claim, Scores } from './claim.ts'
import { embedEpisodes, recordEpisodes, trainEncoder } from './laboratory.ts'
import type { Recording } from './laboratory.ts'
import { bisimulationMetric, drawMdp, paintState, recordMdp, STATES } from './small-mdp.ts'

const CAMERA = 'front'
const [EPISODES, TEST_EPISODES, LENGTH] = [300, 80, 41]
const [TRAIN_CLIPS, TEST_CLIPS] = [32, 8]
const UPDATES = 1000
const MDP_UPDATES = 2000
const GOAL = Float32Array.of(0.1, 0.05, 0.1)
/** Brings differences of the dense reward, minus a distance in metres, to the order of 1. */
const REWARD_SCALE = 5

interface Variant {
  readonly encoder: string
  readonly config?: Readonly<Record<string, unknown>>
  /** Default `dense`. */
  readonly on?: 'dense' | 'sparse' | 'mdp'
  /** Default {@link UPDATES}. */
  readonly updates?: number
}

/** The radius that distances of up to 1 / (1 - gamma) need, and the weight that Kemertas and Aumentado-Armstrong have. */
const REPAIRED = { normBound: 5, inverseWeight: 10 }
const RELEASED = { form: 'released', gamma: 0.99, minStd: 1e-4, maxStd: 10 }
const PAPER = { norm: 'l1', rewardDistance: 'model', gamma: 0.99, minStd: 1e-4, maxStd: 10 }
const AUTOENCODER = { architecture: 'trunk', latentSize: 32, targetBits: 5, latentPenalty: 1e-6, decoderDecay: 1e-7 }

const VARIANTS: Readonly<Record<string, Variant>> = {
  dbc: { encoder: 'dbc' },
  'dbc, paper': { encoder: 'dbc', config: PAPER },
  'dbc, released': { encoder: 'dbc', config: RELEASED },
  deepmdp: { encoder: 'deepmdp' },
  autoencoder: { encoder: 'autoencoder', config: AUTOENCODER },
  // An autoencoder at its best: the networks that speak of positions, three times as long.
  'autoencoder, spatial': { encoder: 'autoencoder', config: { latentSize: 32 }, updates: 3 * UPDATES },
  'sparse, dbc': { encoder: 'dbc', on: 'sparse' },
  'sparse, dbc, repaired': { encoder: 'dbc', config: REPAIRED, on: 'sparse' },
  'small mdp, dbc': { encoder: 'dbc', config: { gamma: 0.7, bisimulationWeight: 5 }, on: 'mdp' },
}

export const dbcClaim: Claim = {
  name: 'dbc',
  variants: Object.keys(VARIANTS),
  columns: {
    background:
      'which of 8 unseen clips is shown, by a linear probe: accuracy, chance .125 (<= half of the autoencoder)',
    state_r2: 'place of the hand by a linear probe, R2 (>= autoencoder - .05)',
    bisimulation_spearman: 'distances of latents and differences of the next ten rewards, Spearman',
    latent_std: 'standard deviation of latents, mean over dimensions',
    rank: 'effective rank of the latents',
    metric_spearman: 'distances of latents and the exact bisimulation metric, Spearman (>= .9)',
  },
  async run(variant, seed): Promise<Scores> {
    const { encoder: name, config = {}, on = 'dense', updates = UPDATES } = VARIANTS[variant]!
    const options = { encoder: name, config, camera: CAMERA, updates, batchSize: 32, seed }
    if (on === 'mdp') return judgeMetric({ ...options, updates: MDP_UPDATES }, seed)
    const training = await recordReach('train', on === 'sparse', EPISODES, 1000 + seed)
    const test = await recordReach('test', on === 'sparse', TEST_EPISODES, 2000 + seed)
    const encoder = await trainEncoder(training, options)
    const scores = await judge(encoder, test)
    encoder.dispose()
    return scores
  },
}

/**
 * A hand above a table on which a grey film runs, paid for being near one place: half of the episodes go there, not very straight, the
 * others anywhere.
 */
export async function recordReach(
  split: 'train' | 'test',
  isSparse: boolean,
  episodes: number,
  seed: number,
): Promise<Recording> {
  const clips = { trainClips: TRAIN_CLIPS, testClips: TEST_CLIPS }
  const recording = await recordEpisodes({
    env: 'armature/Reach-v0',
    envOptions: {
      size: { width: 32, height: 32 },
      start: 'random',
      reward: isSparse ? 'sparse' : 'dense',
      ...(!isSparse && { distractor: { kind: 'texture', grey: 'on', split, ...clips } }),
    },
    episodes,
    length: LENGTH,
    seed,
    goal: GOAL,
    act: wander(isSparse ? 0 : 0.5),
  })
  if (isSparse) return recording
  const scaled = (episode: EpisodeData): EpisodeData => ({
    ...episode,
    rewards: episode.rewards.map((reward) => reward * REWARD_SCALE),
  })
  return { ...recording, episodes: recording.episodes.map(scaled) }
}

/** In every other episode the expert with noise, else random steps. */
function wander(expertShare: 0 | 0.5): (env: Env, observation: Observation, rng: Rng) => Float32Array {
  const expert = reachExpert()
  const action = new Float32Array(3)
  let calls = 0
  return (_env, observation, rng) => {
    const isExpert = Math.floor(calls++ / (LENGTH - 1)) % 2 < 2 * expertShare
    const wanted = isExpert ? expert(observation, GOAL) : undefined
    for (let i = 0; i < 3; i++) {
      const noise = rng.uniform(-1, 1)
      action[i] = wanted === undefined ? noise : Math.max(-1, Math.min(1, 0.5 * wanted[i]! + 0.7 * noise))
    }
    return action
  }
}

export async function judge(encoder: Encoder, test: Recording): Promise<Scores> {
  const data = await embedEpisodes(encoder, test, CAMERA)
  const only = ['nuisance', 'probe/linear_r2', 'bisimulation/spearman', 'collapse/effective_rank']
  const { measurements } = measureEpisodes(data, { rng: new Rng(0), only })
  const read = (name: string): number => measurements.find((each) => each.name === name)!.interval.estimate
  return {
    ...(data.episodes[0]!.nuisances !== undefined && { background: read('nuisance/distractor') }),
    state_r2: read('probe/linear_r2'),
    bisimulation_spearman: read('bisimulation/spearman'),
    latent_std: latentStd(
      data.episodes.map(({ embeddings }) => embeddings),
      data.embeddingSize,
    ),
    rank: read('collapse/effective_rank'),
  }
}

/** Standard deviation of each dimension over all rows, and the mean of those. */
function latentStd(parts: readonly Float32Array[], size: number): number {
  const rows = parts.flatMap((part) => [...part])
  const count = rows.length / size
  let total = 0
  for (let d = 0; d < size; d++) {
    const values = Array.from({ length: count }, (_, row) => rows[row * size + d]!)
    const mean = values.reduce((sum, value) => sum + value, 0) / count
    total += Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count)
  }
  return total / size
}

/** Pictures of each state that its distances are averaged over. */
const PICTURES = 16

/** Distances of latents against the exact metric with the reward weight and discount of the loss. */
async function judgeMetric(options: Parameters<typeof trainEncoder>[1], seed: number): Promise<Scores> {
  const mdp = drawMdp(new Rng(3000 + seed))
  const encoder = await trainEncoder(recordMdp(mdp, 200, 41, new Rng(4000 + seed)), options)
  const rng = new Rng(5000 + seed)
  const size = encoder.spec.latentSize
  const latents: Float32Array[] = []
  for (let state = 0; state < STATES; state++) {
    const pictures = Array.from({ length: PICTURES }, () => paintState(state, rng))
    const frames = new Uint8Array(PICTURES * pictures[0]!.length)
    pictures.forEach((picture, i) => frames.set(picture, i * picture.length))
    latents.push(await encoder.encode({ frames, count: PICTURES }))
  }
  encoder.dispose()
  const exact = bisimulationMetric(mdp, 1, options.config!['gamma'] as number)
  const [learned, wanted]: [number[], number[]] = [[], []]
  for (let s = 0; s < STATES; s++) {
    for (let t = 0; t < s; t++) {
      let distance = 0
      for (let picture = 0; picture < PICTURES; picture++) {
        distance += rowDistance(latents[s]!, picture, latents[t]!, picture, size)
      }
      learned.push(distance)
      wanted.push(exact[s * STATES + t]!)
    }
  }
  return { metric_spearman: spearman(learned, wanted), latent_std: latentStd(latents, size) }
}
