import { extname, resolve } from 'node:path'
import { envs, makeEnv } from '../../envs/index.ts'
import type { Dataset } from '../core/dataset.ts'
import { tooFewEpisodes } from '../core/dataset.ts'
import type { Env } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import { coreText, isCore } from '../evaluate/report/core-measures.ts'
import type { TaskGeometry } from '../evaluate/report/embed.ts'
import { successFrames } from '../evaluate/report/embed.ts'
import { number, rangeText } from '../evaluate/report/html.ts'
import type { ClassCount, RewardsReport } from '../evaluate/report/model.ts'
import { reportPage } from '../evaluate/report/page.ts'
import type { Participant } from '../evaluate/report/rewards-report.ts'
import { makeRewardsReport } from '../evaluate/report/rewards-report.ts'
import { namedGeometry } from '../evaluate/report/task-geometry.ts'
import { hashFolder } from '../io/folder-hash.ts'
import { encodeJson } from '../io/json.ts'
import { openDataset } from '../io/lerobot/reader.ts'
import { splitByEpisode } from '../io/lerobot/splits.ts'
import { runVersions } from '../io/run-folder.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import type { NamedReward } from './embedded-rewards.ts'
import { makeReward, rewardedBy } from './embedded-rewards.ts'
import { requireNewFile, writeOutput } from './output-files.ts'
import type { TrainedEncoder } from './rewards-encoders.ts'
import {
  BASELINE,
  controlParticipant,
  CONTROLS,
  openTrainedEncoder,
  ORACLE,
  trainedParticipant,
} from './rewards-encoders.ts'
import type { OtherLooks } from './other-looks.ts'
import { otherLooks } from './other-looks.ts'
import { table } from './table.ts'

/** Share of each class of episodes that is held out where no encoder has learned from the dataset. */
const TEST_SHARE = 0.3
/** Fewer held-out episodes than this give no interval worth printing. */
const MIN_TEST_EPISODES = 6
/** Held-out episodes that are rendered again in other looks, evenly chosen. */
const LOOK_EPISODES = 12

export interface RewardsOptions {
  /** Folder of the dataset. */
  readonly data: string
  /** HTML page to write. */
  readonly report?: string
  /** JSON file to write; default: beside the page. */
  readonly jsonOut?: string
  /** Camera of the controls; default: that of the first encoder, else the first of the dataset. */
  readonly camera?: string
  readonly seed: number
  /** What is paid, by its registered name; default: minus the distance to the goal. */
  readonly reward?: string
  /** `--set` assignments of its settings, in order. */
  readonly set?: readonly string[]
  /** False: only the encoders that were named. */
  readonly baselines: boolean
  readonly overwrite?: boolean
  /** Every measure, not only those that were shown to predict how well a policy learns. */
  readonly all?: boolean
}

/** Where the report went, and what it says. */
export interface RewardsResult extends RewardsReport {
  readonly files: readonly string[]
}

/**
 * `armature rewards`: how far the distance of embeddings can be trusted as a reward, on held-out episodes, beside controls.
 * @throws ArmatureError `bad-config` in one line for an encoder that does not fit the dataset; `bad-argument` for a file that is
 *   there; `not-found`; `corrupt-file`; `interrupted`. Nothing is written then.
 */
export async function rewards(
  context: CliContext,
  names: readonly string[],
  options: RewardsOptions,
): Promise<RewardsResult> {
  const started = context.clock()
  const { report: pageFile, jsonOut = pageFile && jsonBeside(pageFile) } = options
  if (pageFile !== undefined && jsonOut !== undefined && resolve(pageFile) === resolve(jsonOut)) {
    throw new ArmatureError('bad-argument', '--report', {
      expected: 'a file that ends in .html, and another one for the JSON',
      got: `${pageFile} for both`,
    })
  }
  const named = namedReward(options)
  for (const file of [pageFile, jsonOut]) if (file !== undefined) await requireNewFile(file, options.overwrite)
  const dataset = await openDataset(options.data)
  const datasetHash = await hashFolder(options.data)
  const trained: TrainedEncoder[] = []
  for (const name of names)
    if (!CONTROLS.includes(name)) trained.push(uniqueName(await openTrainedEncoder(name), trained))
  const { train, test } = holdOut(dataset, datasetHash, trained, new Rng(options.seed).split('split'))
  const task = await taskGeometry(dataset)
  const { participants: all, sharedGoals } = await participantsOf(names, trained, dataset, { ...options, train, task })
  const participants = named === undefined ? all : await rewarded(all, named, dataset)
  const phase = context.progress.phase('rewards', test.length + participants.length)
  const cameras = [...new Set(participants.flatMap(({ embedder: { camera } }) => camera ?? []))]
  const looks = await otherLooks(dataset, cameras)
  const { report, drawing } = await makeRewardsReport({
    dataset,
    participants,
    ...(participants.some(({ embedder }) => embedder.name === BASELINE) ? { baseline: BASELINE } : {}),
    ...(task === undefined ? {} : { task }),
    ...(looks === undefined ? {} : { otherLooks: renderSome(looks, test) }),
    sharedGoals,
    testEpisodes: test,
    rng: new Rng(options.seed).split('report'),
    provenance: {
      dataset: options.data,
      datasetHash,
      env: dataset.spec.source,
      seed: options.seed,
      ...(named && { reward: [named.name, ...named.set].join(' ') }),
      trainEpisodes: train,
      counts: countClasses(dataset, train, test),
      versions: await runVersions(),
      command: `armature ${context.command.join(' ')}`,
      problems: dataset.problems,
    },
    onProgress: (done, _total, what) => {
      throwIfInterrupted(context)
      phase.update(done, what)
    },
  })
  phase.finish()
  await looks?.close()
  const files: string[] = []
  if (pageFile !== undefined) {
    await writeOutput(pageFile, reportPage(report, drawing, (context.clock() - started) / 1000, options.all))
    files.push(pageFile)
  }
  if (jsonOut !== undefined) {
    await writeOutput(jsonOut, encodeJson(report, jsonOut))
    files.push(jsonOut)
  }
  context.print(consoleText(report, options.all === true))
  for (const file of files) context.print(file)
  return { ...report, files }
}

/** Renders a few of the episodes. */
function renderSome({ render }: OtherLooks, test: readonly number[]): OtherLooks['render'] {
  const count = Math.min(LOOK_EPISODES, test.length)
  const chosen = new Set(Array.from({ length: count }, (_, i) => test[Math.floor((i * test.length) / count)]!))
  return async (episode) => (chosen.has(episode.info.index) ? render(episode) : undefined)
}

/** @throws ArmatureError `bad-argument` for settings without a reward; as {@link makeReward}. */
function namedReward({ reward, set = [] }: RewardsOptions): NamedReward | undefined {
  if (reward !== undefined) {
    makeReward({ name: reward, set })
    return { name: reward, set }
  }
  if (set.length === 0) return undefined
  throw new ArmatureError('bad-argument', `--set ${set.join(' ')}`, { expected: '--reward, which it is a setting of' })
}

async function rewarded(
  participants: readonly Participant[],
  named: NamedReward,
  dataset: Dataset,
): Promise<Participant[]> {
  const made: Participant[] = []
  for (const each of participants) {
    made.push({ ...each, embedder: await rewardedBy(each.embedder, makeReward(named), dataset) })
  }
  return made
}

function jsonBeside(page: string): string {
  return `${page.slice(0, page.length - extname(page).length)}.json`
}

/** Folders may have the same last name, or that of a control. */
function uniqueName(encoder: TrainedEncoder, others: readonly TrainedEncoder[]): TrainedEncoder {
  const taken = new Set([...CONTROLS, ...others.map(({ name }) => name)])
  let { name } = encoder
  for (let i = 2; taken.has(name); i++) name = `${encoder.name}-${i}`
  return { ...encoder, name }
}

/**
 * Held out are episodes that no encoder has learned from: those that all runs on this dataset left out, else a share of each class.
 * @throws ArmatureError `bad-argument` when too few are left, or when the dataset has changed since an encoder learned from it.
 */
function holdOut(
  dataset: Dataset,
  datasetHash: string,
  trained: readonly TrainedEncoder[],
  rng: Rng,
): { readonly train: readonly number[]; readonly test: readonly number[] } {
  if (dataset.episodes.length <= MIN_TEST_EPISODES) throw tooFewEpisodes(dataset, `more than ${MIN_TEST_EPISODES}`)
  const changed = trained.find(
    ({ learnedFrom }) => learnedFrom?.path === resolve(dataset.path) && learnedFrom.sha256 !== datasetHash,
  )
  if (changed !== undefined) {
    throw new ArmatureError('bad-argument', dataset.path, {
      expected: `the dataset that ${changed.name} learned from, as it was then`,
      got: 'files that have changed since, so which of its episodes were held out is not known',
      fix: 'restore it, pretrain again, or measure on another dataset',
    })
  }
  const learned = new Set(
    trained.flatMap(({ learnedFrom }) => (learnedFrom?.sha256 === datasetHash ? learnedFrom.episodes : [])),
  )
  const split =
    learned.size === 0
      ? splitByEpisode(dataset.episodes, { train: 1 - TEST_SHARE, test: TEST_SHARE }, rng)
      : {
          train: [...learned].toSorted((a, b) => a - b),
          test: dataset.episodes.map(({ index }) => index).filter((index) => !learned.has(index)),
        }
  if (split.test.length < MIN_TEST_EPISODES || split.train.length === 0) {
    throw new ArmatureError('bad-argument', `episodes of ${dataset.path} that no encoder learned from`, {
      expected: `${MIN_TEST_EPISODES} or more`,
      got: String(split.test.length),
      fix:
        learned.size === 0
          ? 'record more episodes'
          : 'hold out more of them in "armature pretrain", with one seed for all',
    })
  }
  return split
}

/** The distance that the env of the dataset scores by, where it is one of ours; else one over the named goal variables. */
async function taskGeometry({ spec, envOptions }: Dataset): Promise<TaskGeometry | undefined> {
  if (spec.stateSpace.shape[0] === 0) return undefined
  if (!Object.hasOwn(envs, spec.source)) return namedGeometry(spec)
  const env = await sceneOf(spec.source, envOptions)
  if (sizeOf(env.spec.stateSpace.shape) !== sizeOf(spec.stateSpace.shape)) return namedGeometry(spec)
  if (!isGoalEnv(env)) return namedGeometry(spec)
  return {
    achieved: (state) => env.achievedGoal(state),
    distance: (a, b) => env.goalDistances(a, b)['distance']!,
    unit: 'm',
    description: `the distance that ${spec.source} is scored by, over ${env.goalSpace.names?.join(', ') ?? 'its goal space'}`,
  }
}

/** The scene as it was recorded, or with its defaults where it takes other options now. */
async function sceneOf(id: string, options: Dataset['envOptions']): Promise<Env> {
  try {
    return await makeEnv(id, options)
  } catch (error) {
    if (!(error instanceof ArmatureError)) throw error
    return makeEnv(id)
  }
}

interface ParticipantOptions extends RewardsOptions {
  readonly train: readonly number[]
  readonly task: TaskGeometry | undefined
}

async function participantsOf(
  names: readonly string[],
  trained: readonly TrainedEncoder[],
  dataset: Dataset,
  options: ParticipantOptions,
): Promise<{ readonly participants: Participant[]; readonly sharedGoals: number }> {
  const { baselines, task, train, seed } = options
  const camera = cameraOf(dataset, options.camera ?? trained[0]?.camera)
  const named = names.filter((name) => CONTROLS.includes(name))
  const controls = CONTROLS.filter(
    (name) =>
      named.includes(name) ||
      (baselines && (name !== ORACLE || (task !== undefined && dataset.spec.goalSpace !== undefined))),
  )
  // Those that may not fit come first: a refusal should not wait for the fitting of controls.
  const goalsOf = new Map<string, readonly Uint8Array[]>()
  for (const each of [camera, ...trained.map((encoder) => encoder.camera)]) {
    if (!goalsOf.has(each) && Object.hasOwn(dataset.spec.cameras, each)) {
      goalsOf.set(each, await successFrames(dataset, train, each))
    }
  }
  const sharedGoals = goalsOf.get(camera)!
  const participants = trained.map((encoder) =>
    trainedParticipant(encoder, dataset, goalsOf.get(encoder.camera) ?? sharedGoals),
  )
  for (const name of controls) {
    const control = { dataset, camera, task, train, seed, role: 'baseline', sharedGoals } as const
    participants.push(await controlParticipant(name, control))
  }
  return { participants, sharedGoals: sharedGoals.length }
}

function cameraOf({ path, spec }: Dataset, wanted: string | undefined): string {
  const cameras = Object.keys(spec.cameras)
  const camera = wanted ?? cameras[0]
  if (camera !== undefined && cameras.includes(camera)) return camera
  throw new ArmatureError('bad-config', `camera of ${path}`, {
    expected: cameras.join(' or ') || 'a dataset with a camera',
    got: wanted ?? 'none',
  })
}

function countClasses({ episodes }: Dataset, train: readonly number[], test: readonly number[]): ClassCount[] {
  const [fitted, held] = [new Set(train), new Set(test)]
  return [...new Set(episodes.map(({ policy }) => policy))].map((policy) => {
    const all = episodes.filter((episode) => episode.policy === policy)
    const tested = all.filter(({ index }) => held.has(index))
    return {
      policy,
      train: all.filter(({ index }) => fitted.has(index)).length,
      test: tested.length,
      successes: tested.filter(({ success }) => success === true).length,
    }
  })
}

/** The main table, or one of all measures, and the verdicts, for the console. */
function consoleText({ measures, encoders, provenance, leftOut }: RewardsReport, all: boolean): string {
  const columns = measures.filter(({ name }) => all || isCore(name))
  const marks = { better: '+', worse: '-', undecided: ' ' }
  const rows = columns.map(({ name, chance }) => [
    all ? name : coreText(name)!.title,
    ...encoders.map(({ cells }) => {
      const cell = cells[name]
      if (cell === undefined || cell.estimate === null) return '–'
      return `${number(cell.estimate)} ${rangeText(cell)}${cell.standing === undefined ? '' : marks[cell.standing]}`
    }),
    number(chance ?? null),
  ])
  const text = table([['measure', ...encoders.map(({ name }) => name), 'chance'], ...rows])
  const verdicts = encoders.map(({ name, verdict }) => `${name}: ${verdict.text}`).join('\n')
  return `${text}\n${provenance.testEpisodes.length} held-out episodes; 95 % intervals; + better, - worse than ${BASELINE}${all ? '' : othersText(measures)}\n\n${verdicts}${leftOutText(leftOut)}`
}

/** What the table does not show. */
function othersText(measures: RewardsReport['measures']): string {
  const count = measures.filter(({ name }) => !isCore(name)).length
  return `\nmeasures that were shown to predict how well a policy learns; ${count} others: --all`
}

/** A line for each thing that the data lack. */
function leftOutText(leftOut: RewardsReport['leftOut']): string {
  const reasons = [...new Set(leftOut.map(({ because }) => because))]
  if (reasons.length === 0) return ''
  const lines = reasons.map((reason) => {
    const names = leftOut.filter(({ because }) => because === reason).map(({ name }) => name)
    return `not measured, ${reason}: ${names.join(', ')}`
  })
  return `\n\n${lines.join('\n')}`
}
