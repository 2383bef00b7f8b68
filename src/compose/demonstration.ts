import { z } from 'zod'
import type { Dataset } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import type { TrainConfig } from '../config/train-config.ts'
import type { RgbImage } from '../io/image.ts'
import { rgbImage } from '../io/image.ts'
import { openDataset } from '../io/lerobot/reader.ts'

/** Settings of what follows a recorded episode. */
export const demonstrationSettings = {
  data: z.string().min(1).describe('folder of the dataset that holds the demonstration'),
  episode: z.int().min(0).optional().describe('number of the episode; default: the first that succeeded'),
}

export interface DemonstrationConfig {
  readonly data: string
  readonly episode?: number | undefined
}

/**
 * Where a demonstration is.
 * @throws ArmatureError `not-found` for a folder without a dataset, or without that episode; `corrupt-file`.
 */
export async function findDemonstration({
  data,
  episode,
}: DemonstrationConfig): Promise<{ readonly dataset: Dataset; readonly index: number }> {
  const dataset = await openDataset(data)
  const found = dataset.episodes.find(({ index, success }) => (episode === undefined ? success : index === episode))
  if (found !== undefined) return { dataset, index: found.index }
  throw new ArmatureError('not-found', `demonstration in ${data}`, {
    expected: episode === undefined ? 'an episode that succeeded' : `episode ${episode}`,
    got: `${dataset.episodes.length} episodes${episode === undefined ? ' that did not' : ''}`,
    fix: 'name one by its number (episode=N); "armature data info" lists them',
  })
}

/**
 * What the demonstration that a run follows shows at a time, by `camera` where it was recorded by that; after its end it stays where it
 * ended. Undefined for a run that follows none, or one without pictures.
 * @throws ArmatureError as {@link findDemonstration}
 */
export async function shownDemonstration(
  { goals }: Pick<TrainConfig, 'goals'>,
  camera: string,
): Promise<((time: number) => RgbImage) | undefined> {
  const followed = [goals?.reward, goals?.source].find((part) => typeof part?.config['data'] === 'string')
  if (followed === undefined) return undefined
  const { dataset, index } = await findDemonstration(z.object(demonstrationSettings).parse(followed.config))
  const recorded = Object.keys(dataset.spec.cameras)
  const shown = recorded.includes(camera) ? camera : recorded[0]
  if (shown === undefined) return undefined
  const { images, info } = await dataset.readEpisode(index, [shown])
  const frames = images[shown]!
  const [height, width] = dataset.spec.cameras[shown]!.shape as unknown as [number, number]
  const size = frames.length / info.length
  return (time) => {
    const at = Math.min(time, info.length - 1) * size
    return rgbImage(frames.slice(at, at + size), width, height)
  }
}
