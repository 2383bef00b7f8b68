/**
 * CC-VAE against a beta-VAE whose latent is as wide, on discs whose colour is another in every episode, and on ground whose colour is, too: do
 * imagined goals keep the colour of the episode, and do they cover the places of the data? Goals of seed 0 are painted into
 * docs/results/cc-vae-<variant>.png.
 *
 *   npx tsx bench/claims.ts cc-vae --seeds 3
 */
import { writeFile } from 'node:fs/promises'
import { steer } from '../../envs/experts/steer.ts'
import type { EpisodeData } from '../../src/core/dataset.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { rgbImage, tile } from '../../src/io/image.ts'
import { encodePng } from '../../src/io/png.ts'
import type { Blob } from './blobs.ts'
import { largestBlob, turnBetween } from './blobs.ts'
import type { Claim, Scores } from './claim.ts'
import type { RecordOptions, Recording } from './laboratory.ts'
import { columns, encodeAll, frameOf, probe, recordEpisodes, trainEncoder } from './laboratory.ts'

const CAMERA = 'front'
/** Long enough that a disc which wanders has been all over the arena. */
const [EPISODES, LENGTH] = [700, 40]
const CONTEXTS = 500
const SAMPLES = 8
/** A colour counts as kept within this of the episode's. */
const HUE_TOLERANCE_DEG = 20
const [UPDATES, BATCH_SIZE] = [2000, 32]

interface Variant {
  readonly encoder: 'cc-vae' | 'beta-vae'
  readonly config: Readonly<Record<string, unknown>>
  readonly envOptions?: Readonly<Record<string, unknown>>
  readonly updates?: number
}

/** A disc has two coordinates. What is constant: place at the start and hue; on random ground another hue and the shade of its shadow. */
const Z_SIZE = 2
const ccVae = (config: Variant['config'] = {}): Variant => ({
  encoder: 'cc-vae',
  config: { latentSize: Z_SIZE, contextSize: 4, betaAnneal: 1000, ...config },
})
/** Networks, beta and warm-up are those of the CC-VAE, and its latent is as wide as [z | c]. */
const betaVae = (contextSize: number, config: Variant['config'] = {}): Variant => ({
  encoder: 'beta-vae',
  config: { architecture: 'palette', latentSize: Z_SIZE + contextSize, beta: 0.5, betaAnneal: 1000, ...config },
})
/**
 * The colour of the ground is learned first: until it is, there is no disc to see, and a z that is priced before that stays empty. Two
 * colours also take a wider c.
 */
const onGround = { envOptions: { ground: 'random' }, updates: 12_000 }
const LATE = { betaAnneal: 7000 }
const GROUND_CONTEXT_SIZE = 16

const VARIANTS: Readonly<Record<string, Variant>> = {
  'cc-vae': ccVae(),
  'beta-vae': betaVae(4),
  'cc-vae, ground': { ...ccVae({ contextSize: GROUND_CONTEXT_SIZE, ...LATE }), ...onGround },
  'beta-vae, ground': { ...betaVae(GROUND_CONTEXT_SIZE, LATE), ...onGround },
  'cc-vae, ground, w = 0': { ...ccVae({ contextSize: GROUND_CONTEXT_SIZE, contextWeight: 0, ...LATE }), ...onGround },
  'cc-vae, ground, shared encoders': {
    ...ccVae({ contextSize: GROUND_CONTEXT_SIZE, sharedEncoders: true, ...LATE }),
    ...onGround,
  },
  'cc-vae, w = 0': ccVae({ contextWeight: 0 }),
  'cc-vae, shared encoders': ccVae({ sharedEncoders: true }),
  'cc-vae, z of 4': ccVae({ latentSize: 4 }),
}

export const ccVaeClaim: Claim = {
  name: 'cc-vae',
  variants: Object.keys(VARIANTS),
  columns: {
    hue_kept: 'share of imagined goals whose hue is within 20 degrees of the episode (>= .90; beta-VAE <= .35)',
    spread: 'spread of the places of goals that are imagined in one episode, over that of the data (>= .60)',
    position_r2: 'position read from z (or the whole latent), R2 (>= .9)',
    hue_from_z_r2: 'hue read from z, R2 (<= .2)',
    hue_from_c_r2: 'hue read from c, R2 (>= .9)',
    reconstruction: 'squared error of test frames, summed over pixels in [0, 1]; of the mean frame it is about 19',
    active_dimensions: 'dimensions of z (or of the latent) with more than 0.1 nat',
  },
  async run(variant, seed): Promise<Scores> {
    const { encoder: name, config, envOptions = {}, updates = UPDATES } = VARIANTS[variant]!
    const training = await recordEpisodes({ ...wandering(envOptions), episodes: EPISODES, seed: 1000 + seed })
    const test = await recordEpisodes({ ...wandering(envOptions), episodes: CONTEXTS, seed: 2000 + seed })
    const options = { encoder: name, config, camera: CAMERA, updates, batchSize: BATCH_SIZE, seed }
    const encoder = await trainEncoder(training, options)
    await encoder.fitPrior?.(firstFrames(encoder, training.episodes))
    const goals = await imagineGoals(encoder, test.episodes, seed)
    if (seed === 0) await paint(variant, encoder, test.episodes, goals)
    const fit = await reconstruction(encoder, test.episodes)
    const scores = { ...judgeGoals(encoder, test.episodes, goals), ...(await probes(encoder, test, config)), ...fit }
    encoder.dispose()
    return scores
  },
}

/** From one place to another that is drawn on arrival, at full speed. Random steps stay near their start: goals would be found there, too. */
function wandering(envOptions: Readonly<Record<string, unknown>>): Omit<RecordOptions, 'episodes' | 'seed'> {
  const [action, target] = [new Float32Array(2), [0, 0]]
  return {
    env: 'armature/DiscArena-v0',
    envOptions,
    length: LENGTH,
    act: (_env, { state }, rng) => {
      const away = Math.hypot(target[0]! - state[0]!, target[1]! - state[1]!)
      if (away < 0.01) target.splice(0, 2, rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2))
      return steer(action, state, target, 0.02)
    },
  }
}

function firstFrames({ spec }: Encoder, episodes: readonly EpisodeData[]): ReturnType<typeof encoderInput> {
  const times = episodes.map(() => 0)
  return encoderInput(spec, times, (row, time) => frameOf(episodes[row]!, CAMERA, time))
}

/** Images of `SAMPLES` goals of each episode, one after the other. */
async function imagineGoals(
  encoder: Encoder,
  episodes: readonly EpisodeData[],
  seed: number,
): Promise<readonly Uint8Array[]> {
  const rng = new Rng(seed).split('goals')
  const size = encoder.spec.latentSize
  const starts = await encoder.encode(firstFrames(encoder, episodes))
  const count = episodes.length * SAMPLES
  const goals = new Float32Array(count * size)
  for (let i = 0; i < count; i++) {
    const start = Math.floor(i / SAMPLES) * size
    goals.set(encoder.imagine!(rng, starts.slice(start, start + size)), i * size)
  }
  const images = await encoder.decode!(goals, count)
  const imageSize = images.length / count
  return Array.from({ length: count }, (_, i) => images.subarray(i * imageSize, (i + 1) * imageSize))
}

function judgeGoals(
  { spec }: Encoder,
  episodes: readonly EpisodeData[],
  goals: readonly Uint8Array[],
): Pick<Scores, string> {
  let kept = 0
  const deviations: number[] = []
  const real: Blob[] = []
  for (const [e, episode] of episodes.entries()) {
    const times = Array.from({ length: SAMPLES }, (_, i) => Math.floor((i * LENGTH) / SAMPLES))
    const seen = times.flatMap((time) => largestBlob(frameOf(episode, CAMERA, time), spec.frameShape) ?? [])
    if (seen.length < SAMPLES) throw new Error(`a frame of episode ${e} shows no disc`)
    real.push(...seen)
    const own = goals.slice(e * SAMPLES, (e + 1) * SAMPLES).flatMap((goal) => largestBlob(goal, spec.frameShape) ?? [])
    kept += own.filter(({ hueDeg }) => turnBetween(hueDeg, seen[0]!.hueDeg) <= HUE_TOLERANCE_DEG).length
    if (own.length > 1) deviations.push(variance(own))
  }
  const spread = Math.sqrt(deviations.reduce((sum, value) => sum + value, 0) / deviations.length)
  return { hue_kept: kept / goals.length, spread: spread / Math.sqrt(variance(real)) }
}

/** Unbiased variance of places about their middle, both coordinates together, pixels squared. */
function variance(blobs: readonly Blob[]): number {
  const mean = (of: (blob: Blob) => number): number => blobs.reduce((sum, blob) => sum + of(blob), 0) / blobs.length
  const [x, y] = [mean((blob) => blob.x), mean((blob) => blob.y)]
  const squares = blobs.reduce((sum, blob) => sum + (blob.x - x) ** 2 + (blob.y - y) ** 2, 0)
  return squares / (blobs.length - 1)
}

/** State of the arena: [x, y, cos hue, sin hue]. The latent of a CC-VAE is [z | c]. */
async function probes(encoder: Encoder, test: Recording, config: Variant['config']): Promise<Scores> {
  const latents = await encodeAll(encoder, test, CAMERA)
  const states = Float32Array.from(test.episodes.flatMap(({ state }) => [...state]))
  const size = encoder.spec.latentSize
  const contextSize = encoder.spec.takesContext ? (config['contextSize'] as number) : 0
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
  const read = (inputs: readonly number[], targets: readonly number[]): number => {
    const r2 = probe(columns(latents, size, inputs), inputs.length, columns(states, 4, targets), targets.length)
    return r2.reduce((sum, value) => sum + value / targets.length, 0)
  }
  const z = range(0, size - contextSize)
  const scores = { position_r2: read(z, [0, 1]), hue_from_z_r2: read(z, [2, 3]) }
  return contextSize === 0 ? scores : { ...scores, hue_from_c_r2: read(range(size - contextSize, size), [2, 3]) }
}

/** Whether it has learned to see at all: fits of the last frames of the episodes. */
async function reconstruction(encoder: Encoder, episodes: readonly EpisodeData[]): Promise<Scores> {
  const last = (episode: EpisodeData): Uint8Array => frameOf(episode, CAMERA, LENGTH - 1)
  const pixels = (images: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(images))
  const frames = pixels(episodes.map(last))
  const context = pixels(episodes.map((episode) => frameOf(episode, CAMERA, 0)))
  const learning = encoder as Encoder & { evaluate(batch: object): Promise<Readonly<Record<string, number>>> }
  const metrics = await learning.evaluate({ count: episodes.length, frames, context })
  return { reconstruction: metrics['reconstruction']!, active_dimensions: metrics['active_dimensions']! }
}

/** Each row: the first frame of an episode, then goals that were imagined in it. */
async function paint(
  variant: string,
  { spec }: Encoder,
  episodes: readonly EpisodeData[],
  goals: readonly Uint8Array[],
): Promise<void> {
  const [height, width] = spec.frameShape
  const image = (data: Uint8Array): ReturnType<typeof rgbImage> => rgbImage(data, width, height)
  const rows = episodes.slice(0, 6).flatMap((episode, e) => {
    return [frameOf(episode, CAMERA, 0), ...goals.slice(e * SAMPLES, (e + 1) * SAMPLES)].map(image)
  })
  const name = variant.replaceAll(/[^a-z0-9]+/g, '-')
  await writeFile(`docs/results/cc-vae-${name}.png`, encodePng(tile(rows, { columns: SAMPLES + 1 })))
}
