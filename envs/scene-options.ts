import { distractorOption } from './look/distractor.ts'
import { mismatchOption } from './look/mismatch.ts'
import { randomizeOption } from './look/randomize.ts'
import type { OptionReader, Values } from './options.ts'
import {
  byName,
  imageSize,
  integer,
  names,
  numbers,
  oneOf,
  quantity,
  readOptions,
  section,
  text,
  vector,
} from './options.ts'

/** Name of a start: see `starts` of a task. */
export const startOption: OptionReader<string> = text

/** Options that every scene takes, whatever its task. */
const SCENE_OPTIONS = {
  /** Of observed images; default 48x48. */
  size: imageSize,
  cameras: names,
  /** Changes cameras by name, e.g. `{ front: { fovYDeg: 30 } }`; a mounted camera in the frame of its carrier. */
  camera: byName(section({ eyeM: vector, targetM: vector, up: vector, fovYDeg: quantity(1, 170) })),
  supersample: oneOf('on', 'off'),
  /** A moving picture behind the scene, e.g. `{ kind: 'discs', split: 'test' }` or just its kind. */
  distractor: distractorOption,
  /** What is drawn anew for each episode, with its strength, e.g. `{ light: 1, friction: 1, actionDelay: 2 }`. */
  randomize: randomizeOption,
  /** How the scene differs in every episode from the one that was learned in, e.g. `{ delaySteps: 2, cameraShiftM: [0, 0.02, 0], light: 0.7 }`. */
  mismatch: mismatchOption,
  /** Numbers behind the privileged state that say nothing: standard normals, drawn anew at each control step from the episode's seed. */
  noiseDims: integer(0, 1000),
  /** How many of the last actions stand behind the privileged state, and behind what the robot measures of itself: newest first. */
  pastActions: integer(0, 100),
  /** Steps of an episode; default the task's, fewer where actions are repeated, so that it lasts as long. */
  maxEpisodeSteps: integer(1, 1_000_000),
  /** Control steps of the task for which each action is held: rewards add up, and only the last is seen. */
  actionRepeat: integer(1, 100),
  start: startOption,
  /** Every episode begins where one with this seed does, looks that the task draws itself included; goals and what is randomised are still drawn. */
  startSeed: integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  /** `dense`: minus the distance; `sparse`: 0 at success, else -1 (Fetch's convention). For tasks with goals. */
  reward: oneOf('dense', 'sparse'),
  /** The goal of every episode, a point of the goal space; default: each reset draws one. For tasks with goals. */
  goal: numbers,
}

export type SceneOptions = Values<typeof SCENE_OPTIONS>
type Reader = OptionReader<unknown>

/**
 * Splits what a user gave into the options of every scene and those of one task.
 * @throws ArmatureError `bad-argument` for an unknown key or an invalid value.
 */
export function readSceneOptions<R extends Readonly<Record<string, Reader>>>(
  id: string,
  taskReaders: R,
  given: Readonly<Record<string, unknown>>,
): SceneOptions & Values<R> {
  return readOptions(id, { ...SCENE_OPTIONS, ...taskReaders }, given) as SceneOptions & Values<R>
}
