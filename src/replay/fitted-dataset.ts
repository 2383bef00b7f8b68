import type { Dataset, DatasetSpec, EpisodeData } from '../core/dataset.ts'
import type { FrameFit } from '../core/frame-fit.ts'
import { changesFrames, fitFrames, fitOfCamera } from '../core/frame-fit.ts'

/** How the frames of cameras are fitted, by name; those of others stay as they are. */
export type FrameFits = Readonly<Record<string, FrameFit>>

/**
 * The fit of each of `cameras` that has to change, and that there is.
 * @param source of the frames, for the text of errors
 * @throws ArmatureError `bad-config` for a camera of a size that the fit does not take
 */
export function fitsOf(
  { cameras: spaces }: Pick<DatasetSpec, 'cameras'>,
  cameras: readonly string[],
  fit: FrameFit,
  source: string,
): FrameFits {
  const fits: Record<string, FrameFit> = {}
  for (const camera of cameras) {
    const shape = spaces[camera]?.shape
    if (shape === undefined) continue
    const fix = 'learn from cameras of one size'
    const own = fitOfCamera(fit, { what: `frames of ${source}`, camera, shape, fix })
    if (changesFrames(own)) fits[camera] = own
  }
  return fits
}

/** What episodes have in common once their frames are fitted. */
export function fittedSpec(spec: DatasetSpec, fits: FrameFits): DatasetSpec {
  const cameras = Object.entries(fits).map(([camera, { to }]) => {
    return [camera, { ...spec.cameras[camera]!, shape: [...to] }] as const
  })
  return { ...spec, cameras: { ...spec.cameras, ...Object.fromEntries(cameras) } }
}

/** The dataset with the frames and goal images of `cameras` as `fit` says. @throws ArmatureError as {@link fitsOf}. */
export function fittedDataset(dataset: Dataset, cameras: readonly string[], fit: FrameFit): Dataset {
  const fits = fitsOf(dataset.spec, cameras, fit, dataset.path)
  if (Object.keys(fits).length === 0) return dataset
  return {
    path: dataset.path,
    spec: fittedSpec(dataset.spec, fits),
    episodes: dataset.episodes,
    get problems() {
      return dataset.problems
    },
    readEpisode: async (index, wanted): Promise<EpisodeData> => {
      const data = await dataset.readEpisode(index, wanted)
      const { goalImages } = data
      return { ...data, images: fitted(data.images, fits), ...(goalImages && { goalImages: fitted(goalImages, fits) }) }
    },
  }
}

function fitted(images: EpisodeData['images'], fits: FrameFits): EpisodeData['images'] {
  const own = Object.entries(fits).filter(([camera]) => images[camera] !== undefined)
  return { ...images, ...Object.fromEntries(own.map(([camera, fit]) => [camera, fitFrames(images[camera]!, fit)])) }
}
