import type { DatasetSpec, EpisodeData } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'

/**
 * What every episode must be to go into a dataset of `spec`.
 * @throws ArmatureError `bad-shape` or `bad-value` that names the part.
 */
export function checkEpisode(spec: DatasetSpec, episode: EpisodeData): void {
  const { info, images, proprio, state, actions, rewards, goalImages = {} } = episode
  const { length } = info
  if (!(Number.isInteger(length) && length > 0)) {
    throw new ArmatureError('bad-value', 'episode', { expected: 'a length of at least 1', got: String(length) })
  }
  const vectors = [
    ['proprio', proprio, length * sizeOf(spec.proprioSpace.shape)],
    ['state', state, length * sizeOf(spec.stateSpace.shape)],
    ['actions', actions, (length - 1) * sizeOf(spec.actionSpace.shape)],
    ['rewards', rewards, length - 1],
    ['goal', info.goal ?? new Float32Array(), info.goal === undefined ? 0 : sizeOf(spec.goalSpace?.shape ?? [0])],
  ] as const
  for (const [name, data, size] of vectors) {
    requireSize(name, data.length, size)
    const bad = data.findIndex((x) => !Number.isFinite(x))
    if (bad >= 0) throw new ArmatureError('bad-value', `episode: ${name}`, { got: `${data[bad]} at ${bad}` })
  }
  requireSize('controllers', episode.controllers?.length ?? 0, spec.tellsControllers === true ? length - 1 : 0)
  for (const [camera, { shape }] of Object.entries(spec.cameras)) {
    requireSize(`camera ${camera}`, images[camera]?.length ?? 0, length * sizeOf(shape))
  }
  for (const [camera, { shape }] of Object.entries(spec.depthCameras ?? {})) {
    requireSize(`depth camera ${camera}`, episode.depth?.[camera]?.length ?? 0, length * sizeOf(shape))
  }
  for (const [camera, image] of Object.entries(goalImages)) {
    requireSize(`goal image of ${camera}`, image.length, sizeOf(spec.cameras[camera]?.shape ?? [0]))
  }
}

function requireSize(name: string, size: number, expected: number): void {
  if (size === expected) return
  throw new ArmatureError('bad-shape', `episode: ${name}`, { expected: `${expected} elements`, got: String(size) })
}
