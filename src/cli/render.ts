import type { ExpertFactory } from '../../envs/experts/expert.ts'
import { envs } from '../../envs/index.ts'
import { applyOverrides } from '../config/overrides.ts'
import type { Env, Info } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { lookUp } from '../core/registry.ts'
import type { RgbImage } from '../io/image.ts'
import { labelledRow } from '../io/image.ts'
import type { CliContext } from './context.ts'
import type { PictureFormat } from './output-files.ts'
import { MAX_ANIMATION_BYTES, pictureFormat, requireNewFile, writeOutput } from './output-files.ts'
import type { ScenePolicy } from '../compose/scene-player.ts'
import { defaultPolicy, scenePlayer } from '../compose/scene-player.ts'
import type { Size } from './render-scene.ts'
import { checkedCameras, playScene, views, viewSize } from './render-scene.ts'

/** Of every camera, unless the user says otherwise. */
const DEFAULT_HEIGHT = 240

export interface RenderOptions {
  /** A file that ends in .png, .gif or .mp4. */
  readonly out: string
  /** Names, or just `all`; default: the camera for people, else the first. */
  readonly cameras?: readonly string[]
  readonly policy?: ScenePolicy
  readonly seed: number
  /** Steps to play: of a PNG before its moment (default 0), of an animation at most (default: an episode). */
  readonly steps?: number
  readonly size?: Size
  /** `--set` assignments of env options, in order. */
  readonly set?: readonly string[]
  readonly overwrite?: boolean
}

/** What was drawn, and its size, which an MP4 makes even. */
export interface RenderReport extends Size {
  readonly file: string
  readonly env: string
  readonly cameras: readonly string[]
  readonly policy: ScenePolicy
  readonly seed: number
  readonly steps: number
  readonly frames: number
  /** Frames per second; absent for a still. */
  readonly fps?: number
  /** Of the last moment, e.g. `success`. */
  readonly info: Info
}

/**
 * Draws a scene: one moment as PNG, or an episode as GIF or MP4.
 * @throws ArmatureError `not-found` for an unknown env, camera or expert; `bad-argument` for options that cannot be used and
 *   for a file that is there; `unwritable`; `interrupted`. Nothing is written then.
 */
export async function render(context: CliContext, id: string, options: RenderOptions): Promise<RenderReport> {
  const format = pictureFormat(options.out, '--out')
  await requireNewFile(options.out, options.overwrite)
  const entry = lookUp('env', envs, id)
  const env = await entry.make(applyOverrides({}, options.set ?? []))
  try {
    const shot = await shoot(context, env, entry.expert, options, format)
    const file = { file: options.out, env: id, ...shot.report }
    await writeOutput(options.out, shot.content)
    context.print(`${options.out}  ${file.width}x${file.height}, ${summaryOf(file)}`)
    return file
  } finally {
    await env.close()
  }
}

interface Shot {
  readonly content: Uint8Array
  readonly report: Omit<RenderReport, 'file' | 'env'>
}

async function shoot(
  context: CliContext,
  env: Env,
  expert: ExpertFactory | undefined,
  options: RenderOptions,
  { isStill = false, maxFps, encode }: PictureFormat,
): Promise<Shot> {
  const cameras = checkedCameras(env, options.cameras)
  const policy = options.policy ?? defaultPolicy(expert)
  const { seed } = options
  const { controlHz, maxEpisodeSteps } = env.spec
  const steps = Math.min(options.steps ?? (isStill ? 0 : maxEpisodeSteps), maxEpisodeSteps)
  // Where a viewer could not follow, every so many steps are shown: time stays true.
  const every = Math.ceil(controlHz / maxFps)
  const sizeOf = (camera: string): Size => options.size ?? viewSize(camera, DEFAULT_HEIGHT)
  if (!isStill) requireMemory(cameras.map(sizeOf), 1 + Math.floor(steps / every))
  const draw = async (): Promise<RgbImage> => {
    const panels = await views(env, cameras, sizeOf)
    return panels.length === 1 ? panels[0]!.image : labelledRow(panels)
  }
  const frames: RgbImage[] = []
  const play = { player: scenePlayer(policy, env, expert, seed), seed, steps }
  const last = await playScene(context, env, play, async (step) => {
    if (!isStill && step % every === 0) frames.push(await draw())
  })
  if (isStill) frames.push(await draw())
  const { width, height } = frames[0]!
  const report = { width, height, cameras, policy, seed, ...last, frames: frames.length }
  const fps = controlHz / every
  return { content: await encode(frames, fps), report: isStill ? report : { ...report, fps } }
}

function requireMemory(sizes: readonly Size[], frames: number): void {
  const bytes = sizes.reduce((sum, { width, height }) => sum + width * height * 3, 0) * frames
  if (bytes <= MAX_ANIMATION_BYTES) return
  throw new ArmatureError('bad-argument', `${frames} frames`, {
    expected: 'at most 1 GiB of pixels',
    got: `${(bytes / 2 ** 30).toFixed(1)} GiB`,
    fix: 'choose a smaller --size or fewer --steps',
  })
}

function summaryOf({ env, cameras, policy, steps, frames, fps, info }: RenderReport): string {
  const what = `${env} from ${cameras.join(', ')}`
  const played = steps === 0 ? 'after reset' : `after ${steps} steps of ${policy} play`
  const moving = fps === undefined ? '' : `, ${frames} frames at ${fps} per second`
  const outcome = info['success'] === undefined || steps === 0 ? '' : `, success ${info['success']}`
  return `${what}, ${played}${moving}${outcome}`
}
