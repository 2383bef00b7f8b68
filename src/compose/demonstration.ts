import { z } from 'zod'
import type { Dataset } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
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
