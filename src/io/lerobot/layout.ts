/** LeRobot's names for columns, and the paths of its folders. */
export const COLUMNS = {
  imagePrefix: 'observation.images.',
  proprio: 'observation.state',
  state: 'observation.environment_state',
  action: 'action',
  reward: 'next.reward',
  done: 'next.done',
  truncated: 'next.truncated',
  success: 'next.success',
  timestamp: 'timestamp',
  frameIndex: 'frame_index',
  episodeIndex: 'episode_index',
  index: 'index',
  taskIndex: 'task_index',
  /** Not LeRobot's: RLDS marks so the row that holds an episode's last observation. */
  isLast: 'is_last',
  /** Not LeRobot's either: who was in control, as text. */
  controller: 'controller',
} as const

/** Columns of meta/episodes that are ours. */
export const EXTRAS = {
  seed: 'armature/seed',
  policy: 'armature/policy',
  objects: 'armature/objects',
  distractor: 'armature/distractor',
  looks: 'armature/looks',
  goal: 'armature/goal',
  success: 'armature/success',
  terminated: 'armature/terminated',
  sha256: 'armature/sha256',
  goalImagePrefix: 'armature/goal_image/',
} as const

export const PATHS = {
  info: 'meta/info.json',
  stats: 'meta/stats.json',
  tasks: 'meta/tasks.parquet',
  episodes: 'meta/episodes',
  /** v2.1: one JSON object a line. */
  episodeLines: 'meta/episodes.jsonl',
  /** Ours: what LeRobot's files have no place for. */
  recording: 'meta/armature.json',
} as const

/** As LeRobot writes them into info.json; `{chunk_index:03d}` is Python's format. */
export const DATA_PATH = 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'
export const VIDEO_PATH = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'
export const EPISODES_PATH = 'meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'

/** Files in a folder. */
export const CHUNK_SIZE = 1000

/** Chunk and file number of the `n`-th file. */
export function filePlace(n: number): { readonly chunk_index: number; readonly file_index: number } {
  return { chunk_index: Math.floor(n / CHUNK_SIZE), file_index: n % CHUNK_SIZE }
}

/** Fills a path that has Python's format fields, e.g. `episode_{episode_index:06d}`. */
export function formatPath(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(\w+)(?::0?(\d+)d)?\}/g, (field, name: string, width?: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    return value === undefined ? field : String(value).padStart(Number(width ?? 0), '0')
  })
}
