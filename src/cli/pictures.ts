import { access, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Encoder } from '../core/encoder.ts'
import type { SimulatedEnv } from '../core/env.ts'
import { ArmatureError, unwritable } from '../core/errors.ts'
import type { Policy } from '../core/policy.ts'
import { Rng } from '../core/rng.ts'
import { EVALUATION_SEED, evaluatePolicy } from '../evaluate/policy.ts'
import { isFileError, writeFileAtomic } from '../io/atomic.ts'
import { encodeGif } from '../io/gif.ts'
import type { Panel, RgbImage } from '../io/image.ts'
import { labelledRow, rgbImage, tile, upscale } from '../io/image.ts'
import { encodePng } from '../io/png.ts'
import { imaginedLatents } from '../run/goal-sources.ts'
import type { Parts } from '../compose/parts.ts'

const VIDEO_EPISODES = 5
const VIDEO_SCALE = 4
const [GOAL_COLUMNS, GOAL_ROWS, GOAL_SCALE] = [8, 4, 2]

/** The first evaluation episodes as an animation: camera, goal image and, where the encoder can, what its latent decodes to. */
export async function writeEpisodeVideo(
  file: string,
  env: SimulatedEnv,
  policy: Policy,
  { config, encoder, representation }: Parts,
): Promise<void> {
  const camera =
    config.representation.kind === 'encoder' ? config.representation.camera : Object.keys(env.spec.imageSpaces)[0]!
  const [height, width] = env.spec.imageSpaces[camera]!.shape as [number, number]
  const image = (pixels: Uint8Array): RgbImage => rgbImage(Uint8Array.from(pixels), width, height)
  const frames: RgbImage[] = []
  let current = -1
  let features = representation.begin()
  await evaluatePolicy(env, policy, {
    episodes: VIDEO_EPISODES,
    firstSeed: EVALUATION_SEED,
    onObservation: async (episode, observation, goal) => {
      if (episode !== current) features = representation.begin()
      current = episode
      const { images } = observation
      const panels: Panel[] = [{ label: 'camera', image: image(images[camera]!) }]
      if (goal) panels.push({ label: 'goal', image: image(goal.images[camera]!) })
      const decoded = encoder?.decode && (await encoder.decode(await features.observe(observation), 1))
      if (decoded) panels.push({ label: 'decoded', image: image(decoded) })
      frames.push(labelledRow(panels, VIDEO_SCALE))
    },
  })
  await writePicture(file, encodeGif(frames, env.spec.controlHz))
}

/** A sheet of decoded samples of the encoder's prior: the goals that exploration imagines. */
export async function writeImaginedGoals(file: string, encoder: Encoder, seed: number): Promise<void> {
  const count = GOAL_COLUMNS * GOAL_ROWS
  const latents = imaginedLatents(encoder, count, new Rng(seed).split('imagined goals'))
  const [height, width] = encoder.spec.frameShape
  const pixels = await encoder.decode!(latents, count)
  const size = pixels.length / count
  const images = Array.from({ length: count }, (_, i) =>
    upscale(rgbImage(pixels.subarray(i * size, (i + 1) * size), width, height), GOAL_SCALE),
  )
  await writeFileAtomic(file, encodePng(tile(images, { columns: GOAL_COLUMNS })))
}

/** @throws ArmatureError `bad-argument` when something is at `file` that the user did not allow to be replaced. */
export async function requireNewFile(file: string, overwrite = false): Promise<void> {
  if (overwrite) return
  try {
    await access(file)
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return
    throw unwritable(file, error)
  }
  throw new ArmatureError('bad-argument', `${file} exists`, { fix: 'name another file or use --overwrite' })
}

/**
 * Writes a picture or an animation, and the folders above it where they are missing.
 * @throws ArmatureError `unwritable`.
 */
export async function writePicture(file: string, content: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true }).catch((error: unknown) => {
    throw unwritable(file, error)
  })
  await writeFileAtomic(file, content)
}
