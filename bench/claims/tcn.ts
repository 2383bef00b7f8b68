/**
 * TCN of two cameras against TCN of one, an autoencoder and an untrained network, on a gripper that carries a cube: do the cameras agree on
 * when it is, are places alike where the task is, and does a demonstration seen by one camera tell how far what another sees has got?
 *
 *   npx tsx bench/claims.ts tcn --seeds 3
 */
import { huberReward } from '../../src/compose/tracking-reward.ts'
import { collectPresets } from '../../src/config/collect-presets.ts'
import type { EpisodeData } from '../../src/core/dataset.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../src/evaluate/measures/embedded-episodes.ts'
import { rowDistance } from '../../src/evaluate/measures/embedded-episodes.ts'
import { measureEpisodes } from '../../src/evaluate/measures/measures.ts'
import { mean, spearman } from '../../src/evaluate/statistics.ts'
import type { Claim, Scores } from './claim.ts'
import type { Recording, RecordOptions } from './laboratory.ts'
import { encodeEpisode, kept, mergedCameras, recordEpisodes, trainEncoder } from './laboratory.ts'

const DATA = collectPresets['pick-two-views']!
const [FRONT, SIDE] = DATA.cameras as [string, string]
const [TEST, TASKS] = [40, 10]
const UPDATES = 700

interface Variant {
  readonly encoder: 'tcn' | 'autoencoder'
  readonly config: Record<string, unknown>
  readonly updates: number
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  'two cameras': { encoder: 'tcn', config: {}, updates: UPDATES },
  'one camera': { encoder: 'tcn', config: { views: 'single', loss: 'triplet', rowsPerEpisode: 16 }, updates: UPDATES },
  autoencoder: { encoder: 'autoencoder', config: { latentSize: 32 }, updates: UPDATES },
  untrained: { encoder: 'tcn', config: {}, updates: 0 },
}

export const tcnClaim: Claim = {
  name: 'tcn',
  variants: Object.keys(VARIANTS),
  columns: {
    alignment: 'alignment error of the two cameras on unseen episodes (two cameras <= .12 and lowest; chance .33)',
    attributes: 'kNN error of attributes in other episodes, which either camera may have seen (same order; chance 1)',
    attributes_front: 'the same where all episodes are seen by the front camera',
    camera: 'which camera it is, read by a linear probe (two cameras below the autoencoder; chance .50)',
    progress:
      'rank correlation of progress with how far a demonstration by the other camera has got where it is nearest (two cameras >= .80)',
    tracking:
      'rank correlation of the reward for tracking that demonstration with minus the true distance to it, all rollouts',
    end: 'rank correlation of progress with the reward for the end of that demonstration',
  },
  run: runVariant,
}

function record(seed: number, options: Partial<RecordOptions>): Promise<Recording> {
  const { maxEpisodeSteps, ...envOptions } = DATA.options as { readonly maxEpisodeSteps: number }
  return recordEpisodes({
    env: DATA.env,
    envOptions: { ...envOptions, cameras: DATA.cameras },
    episodes: DATA.episodes,
    length: maxEpisodeSteps + 1,
    policies: sharesOf(DATA.policy),
    endsAtSuccess: true,
    seed,
    ...options,
  })
}

function sharesOf(policy: Readonly<Record<string, number>>): string {
  return Object.entries(policy)
    .map(([name, share]) => `${name}:${share}`)
    .join()
}

async function runVariant(variant: string, seed: number): Promise<Scores> {
  const { encoder: name, config, updates } = VARIANTS[variant]!
  const training = await kept(`training ${seed}`, () => record(1000 + seed, {}))
  const test = await kept(`test ${seed}`, () => record(2000 + seed, { episodes: TEST }))
  // As many pictures a batch: 32 moments by two cameras.
  const options = { encoder: name, config, camera: FRONT, updates, batchSize: name === 'tcn' ? 32 : 64, seed }
  const encoder = await trainEncoder(name === 'tcn' ? training : mergedCameras(training, [FRONT, SIDE]), options)
  const scores = { ...(await judge(encoder, test, seed)), ...(await follow(encoder, seed)) }
  encoder.dispose()
  return scores
}

/** State: [jaw xyz, opening, cube xyz], metres. */
const STATE_SIZE = 7

/** As zeros and ones: open, holds the cube, cube lifted, above or around the cube, near the table. */
function attributesOf(state: Float32Array): Float32Array {
  const rows = Array.from({ length: state.length / STATE_SIZE }, (_, t) => {
    const [x, y, z, opening, cubeX, cubeY, cubeZ] = [...state.subarray(STATE_SIZE * t, STATE_SIZE * (t + 1))]
    const aside = Math.hypot(cubeX! - x!, cubeY! - y!)
    const isAround = aside < 0.02 && Math.abs(cubeZ! - z!) < 0.02
    return [opening! > 0.06, isAround && opening! < 0.045, cubeZ! > 0.03, aside < 0.02, z! < 0.05].map(Number)
  })
  return Float32Array.from(rows.flat())
}

function shareThatDiffers(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value === b[i] ? 0 : 1), 0) / a.length
}

async function judge(encoder: Encoder, { episodes }: Recording, seed: number): Promise<Scores> {
  const embedded: EmbeddedEpisode[] = []
  for (const episode of episodes) {
    const { index, policy, length } = episode.info
    embedded.push({
      index,
      class: policy,
      length,
      embeddings: await encodeEpisode(encoder, episode, FRONT),
      views: { [SIDE]: await encodeEpisode(encoder, episode, SIDE) },
      states: attributesOf(episode.state),
    })
  }
  const data = { episodes: embedded, embeddingSize: encoder.spec.latentSize, stateDistance: shareThatDiffers }
  const mixed = embedded.map((each, i) => (i % 2 === 0 ? each : { ...each, embeddings: each.views![SIDE]! }))
  return {
    alignment: measure('views/alignment_error', data, seed),
    attributes: measure('neighbours/error', { ...data, episodes: mixed }, seed),
    attributes_front: measure('neighbours/error', data, seed),
    camera: measure('nuisance', data, seed),
  }
}

function measure(name: string, data: EmbeddedEpisodes, seed: number): number {
  return measureEpisodes(data, { rng: new Rng(seed), only: [name] }).measurements[0]!.interval.estimate
}

/** What is done in each task that was demonstrated. Those that finish it are asked for their progress, which is time. */
const ROLLOUTS = ['slow', 'scripted', 'partial', 'random']

/**
 * Demonstrations by the side camera of tasks that were not trained on, and rollouts from the same starts by the front camera: by an expert
 * that is as slow, one that is faster, one that stops half-way, and random play.
 */
async function follow(encoder: Encoder, seed: number): Promise<Scores> {
  const rng = new Rng(3000 + seed)
  const resetSeeds = Array.from({ length: TASKS }, () => rng.nextSeed())
  const play = async (policies: string, from: number): Promise<readonly EpisodeData[]> => {
    const options = { episodes: TASKS, policies, resetSeeds }
    return (await kept(`${policies} ${from} ${seed}`, () => record(from + seed, options))).episodes
  }
  const demonstrations = await play('slow', 3000)
  const rollouts = await Promise.all(ROLLOUTS.map((policy, i) => play(policy, 4000 + 1000 * i)))
  const [progress, tracking, end]: [number[], number[], number[]] = [[], [], []]
  for (const [task, demonstration] of demonstrations.entries()) {
    // Some cubes are put where they should be.
    if (demonstration.info.success !== true || demonstration.info.length < 10) continue
    const shown = await encodeEpisode(encoder, demonstration, SIDE)
    const [paid, truth]: [number[], number[]] = [[], []]
    for (const episodes of rollouts) {
      const rollout = episodes[task]!
      const seen = await encodeEpisode(encoder, rollout, FRONT)
      const { rewards, distances } = tracked(encoder, seen, rollout, shown, demonstration)
      paid.push(...rewards)
      truth.push(...distances)
      if (rollout.info.success !== true || rollout.info.length < 5) continue
      const times = rewards.map((_, t) => t)
      progress.push(
        spearman(
          times.map((t) => nearest(seen, t, shown, encoder.spec.latentSize)),
          times,
        ),
      )
      end.push(
        spearman(
          times.map((t) => -distance(seen, t, shown, demonstration.info.length - 1, encoder)),
          times,
        ),
      )
    }
    tracking.push(
      spearman(
        paid,
        truth.map((d) => -d),
      ),
    )
  }
  return { progress: mean(progress), tracking: mean(tracking), end: mean(end) }
}

function distance(seen: Float32Array, t: number, shown: Float32Array, u: number, { spec }: Encoder): number {
  return rowDistance(seen, t, shown, u, spec.latentSize)
}

/** The moment of the demonstration that is nearest to moment `t`. */
function nearest(seen: Float32Array, t: number, shown: Float32Array, size: number): number {
  let best = 0
  for (let u = 1; u < shown.length / size; u++) {
    if (rowDistance(seen, t, shown, u, size) < rowDistance(seen, t, shown, best, size)) best = u
  }
  return best
}

/** What tracking the demonstration by time pays, and how far gripper and cube really are from it. */
function tracked(
  encoder: Encoder,
  seen: Float32Array,
  rollout: EpisodeData,
  shown: Float32Array,
  demonstration: EpisodeData,
): { readonly rewards: number[]; readonly distances: number[] } {
  const { latentSize } = encoder.spec
  const { length } = rollout.info
  const at = (t: number): number => Math.min(t, demonstration.info.length - 1)
  const times = Int32Array.from({ length }, (_, t) => t)
  const goals = new Float32Array(length * latentSize)
  for (const t of times) goals.set(shown.subarray(at(t) * latentSize, (at(t) + 1) * latentSize), t * latentSize)
  const rewards = new Float32Array(length)
  const none = (): never => {
    throw new Error('no frames')
  }
  huberReward({ alpha: 1, beta: 0.1, gamma: 1e-3 }).compute(
    { size: length, featureSize: latentSize, reached: seen, goals, times, reachedFrame: none, goalFrame: none },
    rewards,
  )
  const part = (state: Float32Array, t: number, from: number): Float32Array =>
    state.subarray(STATE_SIZE * t + from, STATE_SIZE * t + from + 3)
  const apart = (t: number, from: number): number =>
    rowDistance(part(rollout.state, t, from), 0, part(demonstration.state, at(t), from), 0, 3)
  return { rewards: [...rewards], distances: [...times].map((t) => apart(t, 0) + apart(t, 4)) }
}
