/**
 * mfTCN against the same network for one frame, on a cart and a pole that start anywhere at any speed: which of them knows speeds?
 *
 *   npx tsx bench/claims.ts mftcn --seeds 3
 */
import type { EpisodeData } from '../../src/core/dataset.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { crossFit } from '../../src/evaluate/measures/cross-fit.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../../src/evaluate/measures/embedded-episodes.ts'
import { measureEpisodes } from '../../src/evaluate/measures/measures.ts'
import { rSquared } from '../../src/evaluate/rows.ts'
import { mean, pearson } from '../../src/evaluate/statistics.ts'
import type { Claim, Scores } from './claim.ts'
import type { Recording } from './laboratory.ts'
import { columns, frameOf, kept, recordEpisodes, trainEncoder } from './laboratory.ts'

const CAMERAS = ['left', 'right'] as const
/** Of two seconds at 25 Hz: the cart comes to the ends of its rail, so that its place does not tell its speed. */
const [TRAINING, TEST, LENGTH] = [300, 240, 50]
const UPDATES = 3000
/** First moments, whose windows would reach back beyond the start of the episode. */
const MASKED = 6
/** Cart x, cos and sin of the pole; speeds of cart and pole. */
const STATE_SIZE = 5
const [PLACES, SPEEDS] = [
  [0, 1, 2],
  [3, 4],
]

interface Variant {
  readonly config: Record<string, unknown>
  readonly updates: number
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  'four frames': { config: {}, updates: UPDATES },
  // As many weights: what the temporal convolution is smaller, the hidden layer is wider.
  'one frame': { config: { frames: 1, hidden: 190 }, updates: UPDATES },
  'four frames, not told from reversed ones': { config: { reversed: false }, updates: UPDATES },
  'four frames, untrained': { config: {}, updates: 0 },
}

export const mfTcnClaim: Claim = {
  name: 'mftcn',
  variants: Object.keys(VARIANTS),
  columns: {
    speeds: 'speeds of cart and pole, read by a small network, R2 (four frames >= .80, one frame <= .40)',
    places: 'place of the cart, cosine and sine of the pole, R2, by the same network (both >= .90)',
    cart_speed: 'speed of the cart alone, R2',
    pole_speed: 'speed of the pole alone, R2',
    speeds_linear:
      'speeds read by a linear probe, R2; of the true places in the four frames it reads .71, for what turns is not linear',
    places_linear: 'places read by a linear probe, R2',
    repeated: 'speeds where the last frame stands for all, by a linear probe, R2 (four frames < .30)',
    reversed:
      'correlation of true speeds with those that a linear probe reads of the frames in reverse order (four frames < 0)',
  },
  run: runVariant,
}

async function runVariant(variant: string, seed: number): Promise<Scores> {
  const { config, updates } = VARIANTS[variant]!
  const record = (episodes: number, from: number): Promise<Recording> =>
    recordEpisodes({
      env: 'armature/CartPole-v0',
      envOptions: { cameras: CAMERAS, start: 'random', actionRepeat: 4 },
      episodes,
      length: LENGTH,
      seed: from,
    })
  const training = await kept(`training ${seed}`, () => record(TRAINING, 1000 + seed))
  const { episodes } = await kept(`test ${seed}`, () => record(TEST, 2000 + seed))
  const options = { encoder: 'mftcn', config, camera: CAMERAS[0], updates, batchSize: 32, seed }
  const encoder = await trainEncoder(training, options)
  const scores = { ...(await read(encoder, episodes, seed)), ...(await controls(encoder, episodes)) }
  encoder.dispose()
  return scores
}

async function read(encoder: Encoder, episodes: readonly EpisodeData[], seed: number): Promise<Scores> {
  const embedded: EmbeddedEpisode[] = []
  for (const episode of episodes) {
    const { index, policy, length } = episode.info
    embedded.push({
      index,
      class: policy,
      length: length - MASKED,
      embeddings: await latents(encoder, episode, forward),
      states: episode.state.slice(MASKED * STATE_SIZE),
    })
  }
  const data = { episodes: embedded, embeddingSize: encoder.spec.latentSize }
  return { ...readBy('network', data, seed), ...readBy('linear', data, seed) }
}

/** What a probe reads, mean over the variables: a small network, or a linear one. */
function readBy(kind: 'network' | 'linear', data: EmbeddedEpisodes, seed: number): Scores {
  const { measurements } = measureEpisodes(data, { rng: new Rng(seed), only: [`probe/${kind}_r2`] })
  const r2 = measurements.slice(1).map(({ interval }) => interval.estimate)
  const of = (states: readonly number[]): number => mean(states.map((i) => r2[i]!))
  if (kind === 'linear') return { speeds_linear: of(SPEEDS), places_linear: of(PLACES) }
  return { speeds: of(SPEEDS), places: of(PLACES), cart_speed: r2[3]!, pole_speed: r2[4]! }
}

/** Which frame of a window of `frames`, the oldest of which is 0, stands at a place. */
type Order = (at: number, frames: number) => number
const forward: Order = (at) => at
const backward: Order = (at, frames) => frames - 1 - at
const lastAlone: Order = (_at, frames) => frames - 1

/** Speeds by a probe that was fitted to windows as they are, where windows of other episodes are changed. */
async function controls(encoder: Encoder, episodes: readonly EpisodeData[]): Promise<Scores> {
  if (encoder.spec.window.frames === 1) return {}
  const repeated = await readChanged(encoder, episodes, lastAlone)
  const reversed = await readChanged(encoder, episodes, backward)
  return {
    repeated: mean(repeated.map(({ r2 }) => r2)),
    reversed: mean(reversed.map(({ correlation }) => correlation)),
  }
}

/** Folds to fit and to choose the penalty on; the changed windows are one more. */
const FOLDS = 4

/** Of each speed. */
async function readChanged(
  encoder: Encoder,
  episodes: readonly EpisodeData[],
  order: Order,
): Promise<{ readonly r2: number; readonly correlation: number }[]> {
  const size = encoder.spec.latentSize
  const [inputs, targets, folds]: [number[], number[], number[]] = [[], [], []]
  for (const [e, episode] of episodes.entries()) {
    const isChanged = e % 3 === 2
    const rows = await latents(encoder, episode, isChanged ? order : forward)
    inputs.push(...rows)
    targets.push(...columns(episode.state.slice(MASKED * STATE_SIZE), STATE_SIZE, SPEEDS))
    folds.push(...Array.from({ length: rows.length / size }, () => (isChanged ? FOLDS : e % FOLDS)))
  }
  const rows = (data: readonly number[], width: number) => ({
    data: Float64Array.from(data),
    count: folds.length,
    size: width,
  })
  const predictions = crossFit(rows(inputs, size), rows(targets, SPEEDS.length), Int32Array.from(folds))
  return SPEEDS.map((_, k) => {
    const changed = folds.flatMap((fold, row) => (fold === FOLDS ? [row * SPEEDS.length + k] : []))
    const [read, truth] = [changed.map((at) => predictions[at]!), changed.map((at) => targets[at]!)]
    const middle = mean(truth)
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value ** 2, 0)
    return {
      r2: rSquared(sum(truth.map((y, i) => y - read[i]!)), sum(truth.map((y) => y - middle))),
      correlation: pearson(read, truth),
    }
  })
}

/** Latents of the moments of an episode whose windows lie in it, with the frames of each in `order`. */
function latents(encoder: Encoder, episode: EpisodeData, order: Order): Promise<Float32Array> {
  const { spec } = encoder
  const times = Array.from({ length: episode.info.length - MASKED }, (_, t) => t + MASKED)
  const { count, frames } = encoderInput(spec, times, (_row, time) => frameOf(episode, CAMERAS[0], time))
  const size = frames.length / (count * spec.window.frames)
  const ordered = new Uint8Array(frames.length)
  for (let row = 0; row < count; row++) {
    for (let at = 0; at < spec.window.frames; at++) {
      const from = (row * spec.window.frames + order(at, spec.window.frames)) * size
      ordered.set(frames.subarray(from, from + size), (row * spec.window.frames + at) * size)
    }
  }
  return encoder.encode({ count, frames: ordered })
}
