import { setImmediate } from 'node:timers/promises'
import type { Player } from '../compose/scene-player.ts'
import type { Env, Info } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Panel } from '../io/image.ts'
import { rgbImage } from '../io/image.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'

/** Pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** The camera for people, which a scene may lack. */
export const HUMAN_CAMERA = 'human'

/**
 * Plays an episode of `env`, from reset until it ends or `steps` are done.
 * @param onMoment called after the reset with 0, and after each step with its number.
 * @throws ArmatureError `interrupted` after Ctrl-C.
 */
export async function playScene(
  context: CliContext,
  env: Env,
  { player, seed, steps }: { readonly player: Player; readonly seed: number; readonly steps: number },
  onMoment: (step: number) => Promise<void> = async () => {},
): Promise<{ readonly steps: number; readonly info: Info }> {
  let { observation, info } = await env.reset({ seed })
  await onMoment(0)
  const phase = context.progress.phase(`play ${env.spec.id}`, steps, { unit: 'steps' })
  let played = 0
  for (let ended = false; played < steps && !ended;) {
    const result = await env.step(await player(observation))
    ;({ observation, info } = result)
    ended = result.terminated || result.truncated
    await onMoment(++played)
    phase.update(played)
    // Envs and policies may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
    await setImmediate()
    throwIfInterrupted(context)
  }
  if (steps > 0) phase.finish()
  return { steps: played, info: { ...info } }
}

/**
 * Checks camera names against what `env` can render.
 * @throws ArmatureError `not-found` for a name that is no camera of it, or an env without cameras.
 */
export function checkedCameras(env: Env, wanted: readonly string[] | undefined): readonly string[] {
  const all = allCameras(env)
  if (all.length === 0) throw new ArmatureError('not-found', `${env.spec.id} has no camera`)
  if (wanted === undefined) return [all.includes(HUMAN_CAMERA) ? HUMAN_CAMERA : all[0]!]
  if (wanted.length === 1 && wanted[0] === 'all') return all
  const unknown = wanted.find((name) => !all.includes(name))
  if (unknown === undefined) return wanted
  throw new ArmatureError('not-found', `camera "${unknown}" of ${env.spec.id}`, { fix: `there is ${all.join(', ')}` })
}

/** Every camera of `env`. */
export function allCameras({ spec }: Env): readonly string[] {
  return spec.cameras ?? Object.keys(spec.imageSpaces)
}

/** Square, but for the camera for people, which shows 4:3. */
export function viewSize(camera: string, height: number): Size {
  return { width: camera === HUMAN_CAMERA ? Math.round((height * 4) / 3) : height, height }
}

/** What each camera sees now. */
export async function views(env: Env, cameras: readonly string[], sizeOf: (camera: string) => Size): Promise<Panel[]> {
  const panels: Panel[] = []
  for (const camera of cameras) {
    const size = sizeOf(camera)
    panels.push({ label: camera, image: rgbImage(await env.render(camera, size), size.width, size.height) })
  }
  return panels
}
