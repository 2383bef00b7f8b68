import type { Encoder } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import type { FrameFit } from '../core/frame-fit.ts'
import { fitFrames } from '../core/frame-fit.ts'
import type { Policy } from '../core/policy.ts'
import { Rng } from '../core/rng.ts'
import { EVALUATION_SEED, evaluatePolicy } from '../evaluate/policy.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import type { Panel, RgbImage } from '../io/image.ts'
import { labelledRow, rgbImage, tile, upscale } from '../io/image.ts'
import { encodePng } from '../io/png.ts'
import { imaginedLatents } from '../compose/goal-sources.ts'
import type { Parts } from '../compose/parts.ts'
import type { EpisodeFeatures } from '../run/representation.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { MAX_ANIMATION_BYTES, pictureFormat, writeOutput } from './output-files.ts'
import type { Size } from './render-scene.ts'
import { checkedCameras, viewSize } from './render-scene.ts'

const VIDEO_EPISODES = 5
/** From top to bottom of a view, about. */
const VIDEO_PIXELS = 192
const [GOAL_COLUMNS, GOAL_ROWS, GOAL_SCALE] = [8, 4, 2]

/**
 * The first evaluation episodes as an animation: what the camera sees, the goal, and where the encoder can, what its latent decodes to.
 * @param file ends in .gif or .mp4
 * @throws ArmatureError `not-found` for an env without a camera; `bad-argument` for another ending; `unwritable`; `interrupted`.
 */
export async function writeEpisodeVideo(
  context: CliContext,
  file: string,
  env: Env,
  policy: Policy,
  { config, encoder, fit, representation }: Parts,
): Promise<void> {
  const { encode, maxFps } = pictureFormat(file, '--video', ['.gif', '.mp4'])
  const { camera, width, height, scale, isObserved } = viewOf(env, config, fit)
  const image = (pixels: Uint8Array): RgbImage => rgbImage(Uint8Array.from(pixels), width, height)
  const fitted = (frame: Uint8Array): Uint8Array => (fit === undefined ? frame : fitFrames(frame, fit))
  // Where a viewer could not follow, every so many steps are shown: time stays true.
  const every = Math.ceil(env.spec.controlHz / maxFps)
  const frames: RgbImage[] = []
  const phase = context.progress.phase('film', VIDEO_EPISODES, { unit: 'episodes' })
  let at = { episode: -1, step: 0 }
  let features: EpisodeFeatures | undefined
  const hasLatents = config.representation.kind === 'encoder'
  await evaluatePolicy(env, policy, {
    episodes: VIDEO_EPISODES,
    firstSeed: EVALUATION_SEED,
    onObservation: async (episode, observation, goal) => {
      throwIfInterrupted(context)
      if (features === undefined || episode !== at.episode) features = representation.begin(goal?.state)
      at = { episode, step: episode === at.episode ? at.step + 1 : 0 }
      phase.update(episode)
      const latent = await features.observe(observation)
      const decoded = hasLatents ? await encoder?.decode?.(latent, 1) : undefined
      const isFull = frames.length > 0 && (frames.length + 1) * frames[0]!.data.length > MAX_ANIMATION_BYTES
      if (isFull || at.step % every > 0) return
      const seen = isObserved ? fitted(observation.images[camera]!) : await env.render(camera, { width, height })
      const panels: Panel[] = [{ label: 'camera', image: image(seen) }]
      if (goal && isObserved) panels.push({ label: 'goal', image: image(fitted(goal.images[camera]!)) })
      if (decoded) panels.push({ label: 'decoded', image: image(decoded) })
      frames.push(labelledRow(panels, scale))
    },
  })
  phase.update(VIDEO_EPISODES)
  phase.finish()
  await writeOutput(file, await encode(frames, env.spec.controlHz / every))
}

/** What a video shows: what the policy sees, larger, or where it sees nothing, the scene. */
function viewOf(
  env: Env,
  { representation }: Parts['config'],
  fit: FrameFit | undefined,
): Size & { readonly camera: string; readonly scale: number; readonly isObserved: boolean } {
  const { imageSpaces } = env.spec
  const observed = 'camera' in representation ? representation.camera : Object.keys(imageSpaces)[0]
  if (observed !== undefined) {
    const [height, width] = fit?.to ?? (imageSpaces[observed]!.shape as [number, number])
    return { camera: observed, width, height, scale: Math.max(1, Math.round(VIDEO_PIXELS / height)), isObserved: true }
  }
  const camera = checkedCameras(env, undefined)[0]!
  return { camera, ...viewSize(camera, VIDEO_PIXELS), scale: 1, isObserved: false }
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
