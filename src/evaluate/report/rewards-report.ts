import type { Dataset, EpisodeData } from '../../core/dataset.ts'
import type { Rng } from '../../core/rng.ts'
import { comparePaired } from '../measures/compare.ts'
import type { EmbeddedEpisodes } from '../measures/embedded-episodes.ts'
import { prepareEpisodes } from '../measures/embedded-episodes.ts'
import type { Measurement } from '../measures/measurement.ts'
import type { MeasureTable } from '../measures/measures.ts'
import { measureEpisodes } from '../measures/measures.ts'
import { coreOrder } from './core-measures.ts'
import type { Embedder, EmbedOptions, TaskGeometry } from './embed.ts'
import { camerasOf, embedEpisodes, goalFrame } from './embed.ts'
import { chooseExhibits } from './exhibits.ts'
import { encoderFigures, meanTrueDistance, trueFigures } from './figures.ts'
import { FrameGallery } from './frames.ts'
import type { Drawing, DrawnEncoder } from './gallery.ts'
import { wantedFrames } from './gallery.ts'
import type { Cell, EncoderReport, Estimate, MeasureColumn, Provenance, RewardsReport } from './model.ts'
import { verdictOf } from './verdict.ts'

/** One that takes part, and how. */
export interface Participant extends Pick<EncoderReport, 'role' | 'source' | 'hash'> {
  readonly embedder: Embedder
}

export interface RewardsReportOptions {
  readonly dataset: Dataset
  readonly participants: readonly Participant[]
  /** Name of the one that the others are compared with. */
  readonly baseline?: string
  readonly task?: TaskGeometry
  /** Renders an episode in other looks, where it can be. */
  readonly otherLooks?: EmbedOptions['otherLooks']
  /** Pictures of success that stand for the goal of every episode; see `successFrames`. */
  readonly sharedGoals?: number
  /** Held-out episodes: all that is measured is measured on them. */
  readonly testEpisodes: readonly number[]
  readonly rng: Rng
  /** All that the report says of its making but what it finds out itself. */
  readonly provenance: Omit<Provenance, 'testEpisodes' | 'goals' | 'trueDistance' | 'successRadius'>
  /** Called between two pieces of work, with a few words on the next one. */
  readonly onProgress: (done: number, total: number, what: string) => void
}

/**
 * Embeds the held-out episodes with every encoder, measures, compares and draws.
 *
 * @returns what goes into the JSON file, and what the page draws besides
 * @throws ArmatureError as `Dataset.readEpisode`, `Encoder.encode` and `measureEpisodes`.
 */
export async function makeRewardsReport(
  options: RewardsReportOptions,
): Promise<{ readonly report: RewardsReport; readonly drawing: Drawing }> {
  const { dataset, participants, task, otherLooks, testEpisodes, rng, onProgress } = options
  const total = testEpisodes.length + participants.length
  const embedders = participants.map(({ embedder }) => embedder)
  const goals = { recorded: 0, last: 0, none: 0 }
  let done = 0
  const unread: string[] = []
  const embedded = await embedEpisodes(
    dataset,
    testEpisodes,
    embedders,
    task,
    (episode) => {
      onProgress(++done, total, 'embed')
      goals[goalKind(episode)]++
    },
    { onProblem: (error) => unread.push(error.message), ...(otherLooks && { otherLooks }) },
  )
  const tables = new Map<string, MeasureTable>()
  for (const [name, data] of embedded) {
    onProgress(done, total, `measure ${name}`)
    // A turn of the event loop, so that Ctrl-C is seen between two encoders.
    await new Promise((resolve) => setImmediate(resolve))
    tables.set(name, measureEpisodes(data, { rng: rng.split('measures') }))
    onProgress(++done, total, `measured ${name}`)
  }
  const prepared = new Map([...embedded].map(([name, data]) => [name, prepareEpisodes(data)]))
  const { drawing, successRadius } = await draw(options, prepared, tables)
  const measures = columnsOf([...tables.values()])
  const report: RewardsReport = {
    schemaVersion: 2,
    provenance: {
      ...options.provenance,
      problems: [...options.provenance.problems, ...unread],
      testEpisodes,
      goals: options.sharedGoals ? sharedGoalText(options.sharedGoals) : goalText(goals),
      trueDistance: task?.description ?? 'not known: no measure against it',
      ...(successRadius === undefined ? {} : { successRadius }),
    },
    ...(options.baseline === undefined ? {} : { baseline: options.baseline }),
    measures,
    encoders: encoderReports(participants, tables, measures, options.baseline),
    leftOut: tables.values().next().value?.leftOut ?? [],
  }
  return { report, drawing }
}

function goalKind({ info, goalImages }: EpisodeData): 'recorded' | 'last' | 'none' {
  if (goalImages !== undefined && Object.keys(goalImages).length > 0) return 'recorded'
  return info.success === true ? 'last' : 'none'
}

function sharedGoalText(count: number): string {
  return `the last frames of ${count} successful episodes to fit on: the reward of a frame is minus its mean distance to them`
}

function goalText({ recorded, last, none }: Record<'recorded' | 'last' | 'none', number>): string {
  return [
    recorded > 0 ? `${recorded} episodes with a recorded picture of their goal` : '',
    last > 0
      ? `${last} successful ones whose last frame is taken for it, so that their final reward is 0 by construction`
      : '',
    none > 0 ? `${none} without a goal, left out of all measures of rewards` : '',
  ]
    .filter((text) => text !== '')
    .join('; ')
}

/** The columns of all tables: those of the main table in its order, then the others as they come. */
function columnsOf(tables: readonly MeasureTable[]): MeasureColumn[] {
  const found = new Map<string, Measurement>()
  for (const { measurements } of tables)
    for (const each of measurements) if (!found.has(each.name)) found.set(each.name, each)
  const order = coreOrder().filter((name) => found.has(name))
  const names = [...order, ...[...found.keys()].filter((name) => !order.includes(name))]
  return names.map((name) => {
    const { title, direction, chance, best } = found.get(name)!
    return {
      name,
      title,
      direction,
      ...(Number.isFinite(chance) ? { chance } : {}),
      ...(Number.isFinite(best) ? { best } : {}),
    }
  })
}

function encoderReports(
  participants: readonly Participant[],
  tables: ReadonlyMap<string, MeasureTable>,
  measures: readonly MeasureColumn[],
  baseline: string | undefined,
): EncoderReport[] {
  const cells = new Map<string, Record<string, Cell>>(
    [...tables].map(([name, { measurements }]) => [
      name,
      Object.fromEntries(measurements.map((measurement) => [measurement.name, cellOf(measurement)])),
    ]),
  )
  if (baseline !== undefined) addComparisons(cells, tables, measures, baseline)
  return participants.map(({ embedder: { name, camera, latentSize }, role, source, hash }) => {
    const own = cells.get(name)!
    const other =
      baseline === undefined || baseline === name ? undefined : { name: baseline, cells: cells.get(baseline)! }
    return {
      name,
      role,
      source,
      ...(camera === undefined ? {} : { camera }),
      latentSize,
      ...(hash === undefined ? {} : { hash }),
      cells: own,
      verdict: verdictOf({ role, latentSize, cells: own, ...(other === undefined ? {} : { baseline: other }) }),
    }
  })
}

function cellOf({ interval, episodes, undefinedBecause }: Measurement): Cell {
  return { ...estimateOf(interval), episodes, ...(undefinedBecause === undefined ? {} : { undefinedBecause }) }
}

function estimateOf({ estimate, low, high }: { estimate: number; low: number; high: number }): Estimate {
  const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null)
  return { estimate: orNull(estimate), low: orNull(low), high: orNull(high) }
}

/** Adds to every cell how it stands to the baseline's. */
function addComparisons(
  cells: ReadonlyMap<string, Record<string, Cell>>,
  tables: ReadonlyMap<string, MeasureTable>,
  measures: readonly MeasureColumn[],
  baseline: string,
): void {
  const others = [...tables.keys()].filter((name) => name !== baseline)
  for (const { name: measure, direction } of measures) {
    const compared = others.filter((name) => cells.get(name)![measure] !== undefined)
    const comparisons = comparePaired(
      measure,
      compared.map((name) => tables.get(name)!),
      tables.get(baseline)!,
    )
    for (const [i, { difference, verdict, undefinedBecause }] of comparisons.entries()) {
      if (undefinedBecause !== undefined) continue
      const row = cells.get(compared[i]!)!
      const standing = direction === 'none' ? {} : { standing: verdict }
      row[measure] = { ...row[measure]!, difference: estimateOf(difference), ...standing }
    }
  }
}

/** Chooses and makes the figures, and reads the frames that they show. */
async function draw(
  { dataset, participants, task, rng }: RewardsReportOptions,
  prepared: ReadonlyMap<string, EmbeddedEpisodes>,
  tables: ReadonlyMap<string, MeasureTable>,
): Promise<{ readonly drawing: Drawing; readonly successRadius: number | undefined }> {
  const any = prepared.values().next().value!
  const exhibits = chooseExhibits(any, rng.split('exhibits'))
  const encoders: DrawnEncoder[] = [...prepared].map(([name, data]) => ({
    name,
    figures: encoderFigures(data, exhibits, probesOf(tables.get(name)!)),
  }))
  const gallery = new FrameGallery()
  for (const frame of wantedFrames(encoders)) gallery.want(frame)
  const [camera] = camerasOf(participants.map(({ embedder }) => embedder))
  if (camera !== undefined) await fillGallery(gallery, dataset, camera)
  return {
    drawing: {
      encoders,
      truth: trueFigures(any, exhibits),
      gallery,
      trueUnit: task?.unit ?? '',
      randomTrue: meanTrueDistance(any, exhibits),
    },
    successRadius: exhibits.successRadius,
  }
}

async function fillGallery(gallery: FrameGallery, dataset: Dataset, camera: string): Promise<void> {
  const [height, width] = dataset.spec.cameras[camera]!.shape as [number, number]
  for (const index of gallery.episodes) {
    const episode = await dataset.readEpisode(index, [camera])
    gallery.fill(index, episode.images[camera]!, height, width)
    const goal = goalFrame(episode, camera)
    if (goal !== undefined) gallery.fillGoal(index, { data: goal, height, width })
  }
}

const LINEAR_PROBE = 'probe/linear_r2/'

function probesOf({ measurements }: MeasureTable): DrawnEncoder['figures']['probes'] {
  return measurements
    .filter(({ name, interval }) => name.startsWith(LINEAR_PROBE) && Number.isFinite(interval.estimate))
    .map(({ name, interval }) => ({ variable: name.slice(LINEAR_PROBE.length), r2: interval.estimate }))
}
