import { rm } from 'node:fs/promises'
import { EpisodeCutter, datasetSpecOf } from '../../bridges/recording/episode-cutter.ts'
import { LogFiles, topicIs } from '../../bridges/recording/log-files.ts'
import { LogPlayer } from '../../bridges/recording/log-player.ts'
import { decodeMessage } from '../../bridges/protocol/codec.ts'
import { decompressed, Jpeg } from '../../bridges/protocol/jpeg.ts'
import type {
  CompressedObservationMessage,
  ObservationMessage,
  WelcomeMessage,
} from '../../bridges/protocol/messages.ts'
import type { EpisodeData } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import { LeRobotWriter } from '../io/lerobot/writer.ts'
import { runVersions } from '../io/run-folder.ts'
import type { ListenFlags } from './bridge-connect.ts'
import { listenSecurity } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { monotonicUs } from './monotonic-clock.ts'

export interface ReplayOptions extends ListenFlags {
  readonly speed: number
  /** Address of the control socket; the others are at ports that the system chooses, or beside it. */
  readonly bind: string
  /** Folder to make; then nothing is published. */
  readonly dataset?: string
  /** What acted, for the dataset. */
  readonly policy: string
  readonly format: 'png' | 'mp4'
  /** What the robot was to do, in a sentence. */
  readonly task?: string
}

/** What was published. */
export interface ReplayReport {
  readonly robot: string
  readonly endpoint: string
  readonly messages: number
  readonly durationS: number
  readonly problems: readonly string[]
}

/** What was made of a recording. */
export interface RecordingDatasetReport {
  readonly robot: string
  readonly folder: string
  readonly episodes: number
  /** Observations of all episodes. */
  readonly frames: number
  /** Observations that the recording lacks; episodes are cut there. */
  readonly missed: number
  /** Observations that were nothing new. */
  readonly stale: number
  readonly problems: readonly string[]
}

/**
 * `armature replay`: publishes a recording as its robot did, for `watch` and other subscribers; or makes a dataset of it.
 * @throws ArmatureError `not-found` or `corrupt-file` for the recording; `bad-argument` for an address or a folder that cannot be used;
 *   `bad-value` for a dataset of a recording in which nothing acted.
 */
export async function replay(
  context: CliContext,
  file: string,
  options: ReplayOptions,
): Promise<ReplayReport | RecordingDatasetReport> {
  const log = await LogFiles.open(file)
  try {
    for (const problem of log.problems) context.print(problem)
    return options.dataset === undefined
      ? await publish(context, log, options)
      : await makeDataset(context, log, options.dataset, options)
  } finally {
    await log.close()
  }
}

async function publish(context: CliContext, log: LogFiles, options: ReplayOptions): Promise<ReplayReport> {
  const { speed, bind, insecureLan = false } = options
  const security = await listenSecurity(options, context.clock)
  const player = await LogPlayer.open(log, {
    clock: monotonicUs,
    endpoint: bind,
    speed,
    insecureLan,
    ...(security && { security }),
  })
  try {
    const { control: endpoint, observation, telemetry } = player.endpoints
    const durationS = (await log.durationUs()) / 1e6
    const robot = player.welcome.schema.name
    context.print(`${robot}: ${log.length} messages, ${durationS.toFixed(1)} s at ${endpoint}`)
    if (security !== undefined) context.print(`  robot key ${security.keys.publicKey}`)
    context.print(`  observations at ${observation}, events and metrics at ${telemetry}`)
    context.print(`begins with the first listener, e.g. ${context.invocation(`watch ${endpoint}`)}`)
    const messages = await player.play(context.signal)
    context.print(`${messages} messages published`)
    return { robot, endpoint, messages, durationS, problems: log.problems }
  } finally {
    await player.close()
  }
}

async function makeDataset(
  context: CliContext,
  log: LogFiles,
  folder: string,
  { policy, format, task }: ReplayOptions,
): Promise<RecordingDatasetReport> {
  const welcome = await log.welcome()
  const cutter = new EpisodeCutter(welcome.schema, policy)
  const writer = await LeRobotWriter.create(folder, datasetSpecOf(welcome.schema), {
    images: format,
    ...(task === undefined ? {} : { task }),
    record: {
      command: context.command,
      recording: log.path,
      robot: welcome.schema.serial,
      versions: await runVersions(),
    },
  })
  let frames = 0
  let jpeg: Jpeg | undefined
  const keep = async (episode: EpisodeData | undefined): Promise<void> => {
    if (episode === undefined) return
    await writer.addEpisode(episode)
    frames += episode.info.length
  }
  const phase = context.progress.phase('replay', log.length, { unit: 'messages' })
  let done = 0
  try {
    for await (const { bytes } of log) {
      if (topicIs(bytes, 'observation')) await keep(cutter.add(decodeMessage(bytes) as ObservationMessage))
      if (topicIs(bytes, 'compressed_observation')) {
        jpeg ??= Jpeg.load()
        const compressed = decodeMessage(bytes) as CompressedObservationMessage
        await keep(cutter.add(decompressed(compressed, welcome.schema.images, jpeg)))
      }
      if (topicIs(bytes, 'welcome')) requireSame(welcome, decodeMessage(bytes) as WelcomeMessage, log.path)
      phase.update(++done)
      throwIfInterrupted(context, writer.episodes > 0 ? `${folder} keeps ${writer.episodes} whole episodes` : undefined)
    }
    await keep(cutter.finish())
  } finally {
    await writer.close()
    if (writer.episodes === 0) await rm(folder, { recursive: true })
  }
  phase.finish()
  if (writer.episodes === 0) {
    throw new ArmatureError('bad-value', `recording ${log.path}`, {
      expected: 'an episode: observations with actions that a policy sent and the robot applied',
      got: 'none',
      fix: 'record while something drives the robot',
    })
  }
  const { missed, stale } = cutter
  context.print(`${folder}  ${writer.episodes} episodes, ${frames} frames, with the actions as applied`)
  if (missed + stale > 0) context.print(`cut where ${missed} observations are missing and ${stale} were nothing new`)
  return {
    robot: welcome.schema.name,
    folder,
    episodes: writer.episodes,
    frames,
    missed,
    stale,
    problems: log.problems,
  }
}

function requireSame(first: WelcomeMessage, now: WelcomeMessage, path: string): void {
  if (first.observationDigest === now.observationDigest && first.actionDigest === now.actionDigest) return
  throw new ArmatureError('bad-value', `recording ${path}`, {
    expected: 'one robot',
    got: `another schema of ${now.schema.name} after a restart`,
  })
}
