/**
 * CC-VAE against a beta-VAE whose latent is as wide, on discs whose colour is another in every episode: do imagined goals keep the colour of
 * the episode, and do they cover the places of the data?
 *
 *   npx tsx bench/claims.ts cc-vae --seeds 3
 */
import type { EpisodeData } from '../../src/core/dataset.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Claim, Scores } from './claim.ts'
import { columns, encodeAll, frameOf, probe, recordEpisodes, trainEncoder } from './laboratory.ts'
import type { Recording } from './laboratory.ts'

const CAMERA = 'front'
const [EPISODES, LENGTH] = [2000, 10]
const CONTEXTS = 500
const SAMPLES = 8
/** A colour counts as kept within this of the episode's. */
const HUE_TOLERANCE_DEG = 20
const UPDATES = 4000

const VARIANTS: Readonly<Record<string, { readonly encoder: string; readonly config?: Record<string, unknown> }>> = {
  'cc-vae': { encoder: 'cc-vae' },
  'beta-vae': { encoder: 'beta-vae' },
  'cc-vae, w = 0': { encoder: 'cc-vae', config: { contextWeight: 0 } },
  'cc-vae, shared encoders': { encoder: 'cc-vae', config: { sharedEncoders: true } },
}

export const ccVaeClaim: Claim = {
  name: 'cc-vae',
  variants: Object.keys(VARIANTS),
  columns: {
    hue_kept: 'share of imagined goals whose hue is within 20 degrees of the episode (>= .90; beta-VAE <= .35)',
    spread: 'their spread of places over that of the data (>= .60)',
    position_r2: 'position read from z (or the whole latent), R2',
    hue_from_z_r2: 'hue read from z, R2 (<= .2)',
    hue_from_c_r2: 'hue read from c, R2 (>= .9)',
  },
  async run(variant, seed): Promise<Scores> {
    const record = (episodes: number, from: number): Promise<Recording> =>
      recordEpisodes({ env: 'armature/DiscArena-v0', episodes, length: LENGTH, seed: from })
    const training = await record(EPISODES, 1000 + seed)
    const test = await record(CONTEXTS, 2000 + seed)
    const { encoder: name, config } = VARIANTS[variant]!
    const encoder = await trainEncoder(training, {
      encoder: name,
      ...(config && { config }),
      camera: CAMERA,
      updates: UPDATES,
      batchSize: 64,
      seed,
    })
    if (encoder.fitPrior) {
      const first = training.episodes.slice(0, 1000)
      const input = encoderInput(
        encoder.spec,
        first.map(() => 0),
        (row, time) => frameOf(first[row]!, CAMERA, time),
      )
      await encoder.fitPrior(input)
    }
    const scores = { ...(await judgeGoals(encoder, test.episodes, seed)), ...(await probes(encoder, test)) }
    encoder.dispose()
    return scores
  },
}

async function judgeGoals(encoder: Encoder, episodes: readonly EpisodeData[], seed: number): Promise<Scores> {
  const rng = new Rng(seed).split('goals')
  const size = encoder.spec.latentSize
  const input = encoderInput(
    encoder.spec,
    episodes.map(() => 0),
    (row, time) => frameOf(episodes[row]!, CAMERA, time),
  )
  const starts = await encoder.encode(input)
  let kept = 0
  const places: Blob[] = []
  const real: Blob[] = []
  for (const [e, episode] of episodes.entries()) {
    const start = starts.slice(e * size, (e + 1) * size)
    const goals = new Float32Array(SAMPLES * size)
    for (let i = 0; i < SAMPLES; i++) goals.set(encoder.imagine!(rng, start), i * size)
    const images = await encoder.decode!(goals, SAMPLES)
    const seen = blobOf(frameOf(episode, CAMERA, 0), encoder.spec.frameShape)
    if (seen === undefined) throw new Error(`no disc in the first frame of episode ${e}`)
    real.push(seen)
    for (let i = 0; i < SAMPLES; i++) {
      const image = images.subarray((i * images.length) / SAMPLES, ((i + 1) * images.length) / SAMPLES)
      const blob = blobOf(image, encoder.spec.frameShape)
      if (blob === undefined) continue
      places.push(blob)
      if (Math.abs(turnBetween(blob.hueDeg, seen.hueDeg)) <= HUE_TOLERANCE_DEG) kept++
    }
  }
  return { hue_kept: kept / (episodes.length * SAMPLES), spread: spreadOf(places) / spreadOf(real) }
}

/** What stands out in an image: its middle in pixels, and its hue. */
interface Blob {
  readonly x: number
  readonly y: number
  readonly hueDeg: number
}

/** Colourfulness (largest minus smallest channel) above which a pixel belongs to the disc: walls and ground are grey. */
const COLOURFUL = 60

function blobOf(image: Uint8Array, [height, width]: readonly number[]): Blob | undefined {
  let [weight, x, y, cos, sin] = [0, 0, 0, 0, 0]
  for (let i = 0; i < height! * width!; i++) {
    const [r, g, b] = [image[3 * i]!, image[3 * i + 1]!, image[3 * i + 2]!]
    const colour = Math.max(r, g, b) - Math.min(r, g, b)
    if (colour < COLOURFUL) continue
    // Hue as the angle in the plane of colour differences, which needs no cases.
    const hue = Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b)
    weight += colour
    x += colour * (i % width!)
    y += colour * Math.floor(i / width!)
    cos += colour * Math.cos(hue)
    sin += colour * Math.sin(hue)
  }
  if (weight === 0) return undefined
  return { x: x / weight, y: y / weight, hueDeg: (Math.atan2(sin, cos) * 180) / Math.PI }
}

function turnBetween(a: number, b: number): number {
  return ((((a - b + 180) % 360) + 360) % 360) - 180
}

/** Root mean square distance of places from their middle, pixels. */
function spreadOf(blobs: readonly Blob[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
  const [x, y] = [mean(blobs.map((blob) => blob.x)), mean(blobs.map((blob) => blob.y))]
  return Math.sqrt(mean(blobs.map((blob) => (blob.x - x) ** 2 + (blob.y - y) ** 2)))
}

/** State of the arena: [x, y, cos hue, sin hue]. The latent of a CC-VAE is [z | c]. */
async function probes(encoder: Encoder, test: Recording): Promise<Scores> {
  const latents = await encodeAll(encoder, test, CAMERA)
  const states = Float32Array.from(test.episodes.flatMap(({ state }) => [...state]))
  const size = encoder.spec.latentSize
  const contextSize = encoder.spec.takesContext ? 4 : 0
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
  const read = (inputs: readonly number[], targets: readonly number[]): number => {
    const r2 = probe(columns(latents, size, inputs), inputs.length, columns(states, 4, targets), targets.length)
    return r2.reduce((sum, value) => sum + value / targets.length, 0)
  }
  const z = range(0, size - contextSize)
  const scores = { position_r2: read(z, [0, 1]), hue_from_z_r2: read(z, [2, 3]) }
  return contextSize === 0 ? scores : { ...scores, hue_from_c_r2: read(range(size - contextSize, size), [2, 3]) }
}
