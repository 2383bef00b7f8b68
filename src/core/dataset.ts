import { ArmatureError } from './errors.ts'
import type { BoxSpace } from './spaces.ts'

/** What all episodes of a dataset share. */
export interface DatasetSpec {
  /** The env or robot it was recorded from, e.g. `armature/PushPuck-v0`. */
  readonly source: string
  readonly fps: number
  /** RGB cameras by name, uint8 [height, width, 3]. */
  readonly cameras: Readonly<Record<string, BoxSpace>>
  /** Cameras that see distances, by name; absent where there are none. No name is among `cameras`, too. */
  readonly depthCameras?: Readonly<Record<string, DepthSpace>>
  readonly actionSpace: BoxSpace
  readonly proprioSpace: BoxSpace
  /** Privileged simulator state; shape [0] where there is none. */
  readonly stateSpace: BoxSpace
  /** Named dimensions of {@link EpisodeInfo.goal}; absent where episodes have no goals. */
  readonly goalSpace?: BoxSpace
  /** Whether its episodes have {@link EpisodeData.controllers}. */
  readonly tellsControllers?: boolean
}

/** Images of one channel of 16 bits: distances, in a unit that the recorder knows, a millimetre most often. */
export interface DepthSpace {
  /** [height, width] */
  readonly shape: readonly number[]
}

/** What is known of an episode without reading its frames. */
export interface EpisodeInfo {
  /** Number in the dataset, from 0. */
  readonly index: number
  /** Number of observations: one more than there are steps. */
  readonly length: number
  /** Whether the task ended the episode. Otherwise time ran out or the recording stopped. */
  readonly terminated: boolean
  /** Success at the last step; undefined where it was not recorded. */
  readonly success?: boolean
  /** Seed of the reset, where a simulator made it. */
  readonly seed?: number
  /** Who acted, e.g. `scripted`, `random`, `adversarial`. Measures group episodes by it. */
  readonly policy: string
  /** Ids of the objects that can be seen, for splits by object. */
  readonly objects: readonly number[]
  /** Which distractor is shown behind the scene, if any. */
  readonly distractor?: string
  /** How the scene looked, by what was drawn for the episode, with its unit: `hue_cube_rad`, `light_x`, `camera_front_fov_deg`, ... */
  readonly looks?: Readonly<Record<string, number>>
  /** What the robot was to do, in words, where it is more than the name of what it was recorded from. */
  readonly task?: string
  /** The episode's goal, a point of the goal space. */
  readonly goal?: Float32Array
}

/** One episode in memory: `length` observations, `length - 1` steps. */
export interface EpisodeData {
  readonly info: EpisodeInfo
  /** By camera, uint8 [length, height, width, 3]. */
  readonly images: Readonly<Record<string, Uint8Array>>
  /** By depth camera, uint16 [length, height, width]; absent where none was read. */
  readonly depth?: Readonly<Record<string, Uint16Array>>
  /** [length, proprioSize] */
  readonly proprio: Float32Array
  /** [length, stateSize]: privileged, for evaluation only */
  readonly state: Float32Array
  /** [length - 1, actionSize], as executed */
  readonly actions: Float32Array
  /** [length - 1] */
  readonly rewards: Float32Array
  /** [length - 1]: the name of who was in control, policy or person; empty where the robot acted by itself. Only where the spec says so. */
  readonly controllers?: readonly string[]
  /** Goal images by camera, uint8 [height, width, 3], where they were recorded. */
  readonly goalImages?: Readonly<Record<string, Uint8Array>>
}

/** Recorded episodes on disk. Their list is in memory; their frames are read one episode at a time. */
export interface Dataset {
  readonly path: string
  readonly spec: DatasetSpec
  readonly episodes: readonly EpisodeInfo[]
  /** Options of the scene that it was recorded from, where that is known: with them its states can be reached again. */
  readonly envOptions?: Readonly<Record<string, unknown>>
  /** One line for each file that could not be read. Its episodes are not in `episodes`. */
  readonly problems: readonly string[]
  /** @param cameras those to decode, of depth, too; default all. @throws ArmatureError `corrupt-file` that names the file. */
  readEpisode(index: number, cameras?: readonly string[]): Promise<EpisodeData>
  /**
   * What an episode, read with all its cameras, holds otherwise than when it was recorded: a line each. Absent, as is the answer of
   * folders that keep no hashes, where nothing is known.
   */
  verify?(index: number, data: EpisodeData): Promise<readonly string[]>
}

/**
 * The error for a dataset with too few episodes that can be read. It gives the first reasons, since what is wrong is most often in them.
 * @param expected e.g. `at least 2, so that one can be held out`
 */
export function tooFewEpisodes({ path, episodes, problems }: Dataset, expected: string): ArmatureError {
  const shown = problems.slice(0, 3)
  const more = problems.length > shown.length ? `; and ${problems.length - shown.length} more` : ''
  return new ArmatureError(episodes.length === 0 ? 'not-found' : 'bad-argument', `episodes of ${path}`, {
    expected,
    got: String(episodes.length),
    ...(shown.length > 0 && { fix: `not read: ${shown.join('; ')}${more}` }),
  })
}
