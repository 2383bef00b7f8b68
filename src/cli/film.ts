import type { Env } from '../core/env.ts'
import type { FrameFit } from '../core/frame-fit.ts'
import { fitFrames } from '../core/frame-fit.ts'
import type { Policy } from '../core/policy.ts'
import { shownDemonstration } from '../compose/imitation.ts'
import { Onlooker } from '../compose/onlooker.ts'
import type { Parts } from '../compose/parts.ts'
import type { EpisodeResult } from '../evaluate/policy.ts'
import { EVALUATION_SEED, evaluatePolicy } from '../evaluate/policy.ts'
import { curveImage } from '../io/curve.ts'
import type { Panel, RgbImage } from '../io/image.ts'
import { labelledRow, rgbImage, stacked, withCaption } from '../io/image.ts'
import { recordedFeatures } from '../run/representation.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { MAX_ANIMATION_BYTES, pictureFormat, writeOutput } from './output-files.ts'
import type { Size } from './render-scene.ts'
import { checkedCameras, viewSize } from './render-scene.ts'

/** Episodes that `train` and `eval` show. */
export const VIDEO_EPISODES = 5
/** From top to bottom of a view, about, and of the curve below the views. */
const [VIEW_PIXELS, CURVE_PIXELS] = [192, 64]

/** What {@link writeFilm} shows. */
export interface FilmOptions {
  /** Ends in .gif or .mp4. */
  readonly file: string
  /** Name of the option that named it. */
  readonly option: string
  readonly episodes: number
  /** Ends an episode, where the env ends none. */
  readonly maxSteps?: number | undefined
}

/** Views of one moment, without the curve. */
interface Moment {
  readonly views: RgbImage
  readonly episode: number
  /** Rewards of the episode so far. */
  readonly step: number
}

/**
 * Plays the first evaluation episodes into an animation: what the camera sees, the goal, the demonstration that is followed, what the latent
 * decodes to, each where there is one, and below them the reward as a curve that grows. Where the run learned from goals, that is what
 * reaching its goal pays, else the reward of the env.
 * @throws ArmatureError `not-found` for an env without a camera, or a demonstration that is gone; `bad-argument` for another ending; `unwritable`;
 *   `interrupted`.
 */
export async function writeFilm(
  context: CliContext,
  env: Env,
  policy: Policy,
  parts: Parts,
  { file, option, episodes, maxSteps }: FilmOptions,
): Promise<EpisodeResult[]> {
  const { encode, maxFps } = pictureFormat(file, option, ['.gif', '.mp4'])
  const { representation, reward } = parts
  await reward?.prepare?.((episode, dataset) => recordedFeatures(representation, episode, dataset))
  const viewer = await viewerOf(env, parts)
  const onlooker = new Onlooker(parts)
  // Where a viewer could not follow, every so many steps are shown: time stays true.
  const every = Math.ceil(env.spec.controlHz / maxFps)
  const moments: Moment[] = []
  const rewards: number[][] = []
  const phase = context.progress.phase('film', episodes, { unit: 'episodes' })
  const results = await evaluatePolicy(env, policy, {
    episodes,
    firstSeed: EVALUATION_SEED,
    ...(maxSteps !== undefined && { maxSteps }),
    onObservation: async (episode, observation, goal, envReward) => {
      throwIfInterrupted(context)
      if (rewards.length <= episode) {
        rewards.push([])
        onlooker.begin(goal)
      }
      phase.update(episode)
      const { decoded, reward: paid } = await onlooker.see(observation, envReward)
      if (paid !== undefined) rewards[episode]!.push(paid)
      const step = rewards[episode]!.length
      const isFull = (moments.length + 1) * (moments[0]?.views.data.length ?? 0) > MAX_ANIMATION_BYTES / 2
      if (isFull || step % every > 0) return
      moments.push({ views: await viewer({ observation, goal, decoded, time: step }), episode, step })
    },
  })
  phase.update(episodes)
  phase.finish()
  await writeOutput(file, await encode(withCurves(moments, rewards), env.spec.controlHz / every))
  return results
}

/** Each moment with the rewards of its episode so far below it; all curves have the same axes. */
function withCurves(moments: readonly Moment[], rewards: readonly (readonly number[])[]): RgbImage[] {
  const all = [0, ...rewards.flat()]
  const extreme = (pick: (a: number, b: number) => number): number => all.reduce((x, y) => pick(x, y))
  const range = [extreme(Math.min), extreme(Math.max)] as const
  const count = Math.max(1, ...rewards.map(({ length }) => length))
  return moments.map(({ views, episode, step }) => {
    const values = rewards[episode]!.slice(0, step)
    const options = { width: views.width, height: CURVE_PIXELS, count, range }
    const sum = values.reduce((total, x) => total + x, 0)
    const caption = step === 0 ? 'reward' : `reward ${values[step - 1]!.toFixed(3)}  sum ${sum.toFixed(2)}`
    return stacked([views, withCaption(curveImage(values, options), caption)])
  })
}

/** What there is to see at one moment. */
interface Seen {
  readonly observation: { readonly images: Readonly<Record<string, Uint8Array>> }
  readonly goal: { readonly images: Readonly<Record<string, Uint8Array>> } | undefined
  readonly decoded: Uint8Array | undefined
  /** Steps since the reset. */
  readonly time: number
}

/** Draws the views of a moment side by side. */
async function viewerOf(env: Env, parts: Parts): Promise<(seen: Seen) => Promise<RgbImage>> {
  const { config, fit } = parts
  const { camera, width, height, scale, isObserved } = viewOf(env, config, fit)
  const goalCamera = ('goalCamera' in config.representation ? config.representation.goalCamera : undefined) ?? camera
  const image = (pixels: Uint8Array): RgbImage => rgbImage(Uint8Array.from(pixels), width, height)
  const fitted = (frame: Uint8Array): Uint8Array => (fit === undefined ? frame : fitFrames(frame, fit))
  const demonstration = await shownDemonstration(config, camera)
  return async ({ observation, goal, decoded, time }) => {
    const seen = isObserved ? fitted(observation.images[camera]!) : await env.render(camera, { width, height })
    const panels: Panel[] = [{ label: 'camera', image: image(seen) }]
    const wanted = goal?.images[goalCamera]
    if (wanted !== undefined && isObserved) panels.push({ label: 'goal', image: image(fitted(wanted)) })
    if (demonstration) panels.push({ label: 'demonstration', image: demonstration(time) })
    if (decoded) panels.push({ label: 'decoded', image: image(decoded) })
    return labelledRow(panels, scale)
  }
}

/** What a film shows: what the policy sees, larger, or where it sees nothing, the scene. */
function viewOf(
  env: Env,
  { representation }: Parts['config'],
  fit: FrameFit | undefined,
): Size & { readonly camera: string; readonly scale: number; readonly isObserved: boolean } {
  const { imageSpaces } = env.spec
  const observed = 'camera' in representation ? representation.camera : Object.keys(imageSpaces)[0]
  if (observed !== undefined) {
    const [height, width] = fit?.to ?? (imageSpaces[observed]!.shape as [number, number])
    return { camera: observed, width, height, scale: Math.max(1, Math.round(VIEW_PIXELS / height)), isObserved: true }
  }
  const camera = checkedCameras(env, undefined)[0]!
  return { camera, ...viewSize(camera, VIEW_PIXELS), scale: 1, isObserved: false }
}
