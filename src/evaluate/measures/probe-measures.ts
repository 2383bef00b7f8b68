import type { Rng } from '../../core/rng.ts'
import type { Rows } from '../rows.ts'
import { rSquared } from '../rows.ts'
import { crossFit, dealFolds, randomFeatures } from './cross-fit.ts'
import type { EmbeddedEpisodes } from './embedded-episodes.ts'
import { positionsWhere, undefinedStatistic } from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, sketchRows, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Frames that probes are fitted and scored on, evenly from all episodes. */
export const PROBE_FRAMES = 6000
/** Probes need a fold to score on, one to choose the penalty on and one to fit on. */
export const MIN_PROBE_EPISODES = 3

/** Sums of one target over the scored rows of each episode, from which R2 follows. */
interface TargetErrors {
  readonly n: Float64Array
  readonly sum: Float64Array
  readonly square: Float64Array
  readonly error: Float64Array
}

/**
 * R2 of each target by a cross-fitted probe, split by episode: the mean over those that vary, under `name`, then each under
 * `name/target`. The jackknife leaves out episodes that are scored; the fits stay.
 */
export function probeStatistics(
  name: string,
  targetNames: readonly string[],
  frames: FrameList,
  probe: { readonly inputs: Rows; readonly targets: Rows; readonly folds: Int32Array },
): EpisodeStatistic[] {
  const { inputs, targets, folds } = probe
  const predictions = crossFit(inputs, targets, folds)
  const episodes = [...new Set(frames.episode)].toSorted((a, b) => a - b)
  const slots = (episodes.at(-1) ?? 0) + 1
  const all = targetNames.map((_, target): TargetErrors => {
    const zeros = (): Float64Array => new Float64Array(slots)
    const [n, sum, square, error] = [zeros(), zeros(), zeros(), zeros()]
    const shift = targets.data[target]!
    for (let row = 0; row < targets.count; row++) {
      const at = frames.episode[row]!
      const y = targets.data[row * targets.size + target]!
      n[at]!++
      sum[at]! += y - shift
      square[at]! += (y - shift) ** 2
      error[at]! += (y - predictions[row * targets.size + target]!) ** 2
    }
    return { n, sum, square, error }
  })
  const ones = new Float64Array(slots).fill(1)
  const varying = all.filter((errors) => !Number.isNaN(weightedR2(errors, episodes, ones)))
  const mean: EpisodeStatistic = {
    name,
    episodes,
    evaluate: (counts) =>
      varying.reduce((sum, errors) => sum + weightedR2(errors, episodes, counts), 0) / varying.length,
    ...(varying.length === 0 ? { undefinedBecause: 'nothing that the probe should read varies' } : {}),
  }
  const each = all.map((errors, target): EpisodeStatistic => ({
    name: `${name}/${targetNames[target]}`,
    episodes,
    evaluate: (counts) => weightedR2(errors, episodes, counts),
    ...(varying.includes(errors) ? {} : { undefinedBecause: 'the variable is constant' }),
  }))
  return [mean, ...each]
}

function weightedR2(
  { n, sum, square, error }: TargetErrors,
  episodes: readonly number[],
  counts: Float64Array,
): number {
  let count = 0
  let total = 0
  let squares = 0
  let errors = 0
  for (const episode of episodes) {
    const weight = counts[episode]!
    count += weight * n[episode]!
    total += weight * sum[episode]!
    squares += weight * square[episode]!
    errors += weight * error[episode]!
  }
  const variance = squares - (total * total) / count
  // Below that, rounding is all that varies.
  return rSquared(errors, variance > 1e-13 * squares ? variance : 0)
}

/** Fold of each frame: that of its episode, of those at `positions`. Every class is spread over all folds. */
export function foldsOfFrames(
  data: EmbeddedEpisodes,
  positions: readonly number[],
  frames: FrameList,
  rng: Rng,
): Int32Array {
  const folds = dealFolds(
    positions.map((position) => data.episodes[position]!.class),
    rng,
  )
  const byPosition = new Map(positions.map((position, i) => [position, folds[i]!]))
  return Int32Array.from(frames.episode, (position) => byPosition.get(position)!)
}

function stateProbe(
  name: string,
  data: EmbeddedEpisodes,
  rng: Rng,
  features: (inputs: Rows) => Rows,
): EpisodeStatistic[] {
  const positions = positionsWhere(data, ({ states }) => states !== undefined)
  if (positions.length < MIN_PROBE_EPISODES) return [undefinedStatistic(name, 'fewer than three episodes with states')]
  const frames = spacedFrames(data, positions, PROBE_FRAMES)
  const embeddings = gatherRows(data, frames, (episode) => episode.embeddings)
  const targets = gatherRows(data, frames, (episode) => episode.states!)
  const names = data.stateNames ?? Array.from({ length: targets.size }, (_, i) => `state_${i}`)
  return probeStatistics(name, names, frames, {
    inputs: features(sketchRows(embeddings, rng.split('sketch'))),
    targets,
    folds: foldsOfFrames(data, positions, frames, rng.split('folds')),
  })
}

/**
 * R2 of a ridge regression from embedding to each state variable, five-fold across episodes; the row without a variable is the mean
 * of all that vary. At most 1, best 1, chance 0 (below 0: worse than the mean). NaN for a variable that is constant. Embeddings
 * wider than 256 are sketched. Compare with `random` and `pca`: a wide untrained encoder scores well too.
 */
const linearProbe: Measure = {
  name: 'probe/linear_r2',
  title: 'State read by a linear probe (R2)',
  direction: 'higher',
  scale: 'at-most-one',
  chance: 0,
  best: 1,
  needs: ['states'],
  statistics: (data, rng) => stateProbe('probe/linear_r2', data, rng, (inputs) => inputs),
}

/**
 * {@link linearProbe} with a small network: 256 random ReLU features and the embedding itself, of which only the output layer is
 * fitted, in closed form. What is in the embedding but bent.
 */
const networkProbe: Measure = {
  name: 'probe/network_r2',
  title: 'State read by a small network (R2)',
  direction: 'higher',
  scale: 'at-most-one',
  chance: 0,
  best: 1,
  needs: ['states'],
  statistics: (data, rng) =>
    stateProbe('probe/network_r2', data, rng, (inputs) => randomFeatures(inputs, rng.split('features'))),
}

/**
 * R2 of a ridge regression from the embeddings of two frames in a row to the action between them, mean over action dimensions.
 * At most 1, chance 0. What the embedding holds of what the robot does; distractors do not help here. 1 can be reached only where
 * motion follows actions exactly.
 */
const inverseProbe: Measure = {
  name: 'probe/inverse_r2',
  title: 'Action read from two frames in a row (R2)',
  direction: 'higher',
  scale: 'at-most-one',
  chance: 0,
  best: 1,
  needs: ['actions'],
  statistics(data, rng) {
    const name = 'probe/inverse_r2'
    const positions = positionsWhere(data, ({ actions, length }) => actions !== undefined && length > 1)
    if (positions.length < MIN_PROBE_EPISODES)
      return [undefinedStatistic(name, 'fewer than three episodes with actions')]
    const steps = { ...data, episodes: data.episodes.map((episode) => ({ ...episode, length: episode.length - 1 })) }
    const frames = spacedFrames(steps, positions, PROBE_FRAMES)
    const embedded = (times: Int32Array): Rows =>
      sketchRows(
        gatherRows(data, { ...frames, time: times }, (episode) => episode.embeddings),
        rng.split('sketch'),
      )
    const inputs = besides(embedded(frames.time), embedded(frames.time.map((t) => t + 1)))
    const targets = gatherRows(steps, frames, (episode) => episode.actions!)
    const names = Array.from({ length: targets.size }, (_, i) => String(i))
    const folds = foldsOfFrames(data, positions, frames, rng.split('folds'))
    return probeStatistics(name, names, frames, { inputs, targets, folds }).slice(0, 1)
  },
}

/** Rows of `a` with those of `b` beside, [count, a.size + b.size]. */
export function besides(a: Rows, b: Rows): Rows {
  const size = a.size + b.size
  const data = new Float64Array(a.count * size)
  for (let row = 0; row < a.count; row++) {
    data.set(a.data.subarray(row * a.size, (row + 1) * a.size), row * size)
    data.set(b.data.subarray(row * b.size, (row + 1) * b.size), row * size + a.size)
  }
  return { data, count: a.count, size }
}

/** Frames with the label that a nuisance probe should guess. */
interface Labelled {
  readonly frames: FrameList
  readonly inputs: Rows
  /** Label number of each frame. */
  readonly labels: Int32Array
  readonly classes: number
  readonly folds: Int32Array
}

/** Share of each label's frames that a cross-fitted linear classifier (ridge on one-hot targets, largest output) gets right. */
function nuisanceStatistic(name: string, { frames, inputs, labels, classes, folds }: Labelled): EpisodeStatistic {
  const targets = { data: new Float64Array(frames.count * classes), count: frames.count, size: classes }
  for (let row = 0; row < frames.count; row++) targets.data[row * classes + labels[row]!] = 1
  const outputs = crossFit(inputs, targets, folds)
  const episodes = [...new Set(frames.episode)].toSorted((a, b) => a - b)
  const slots = episodes.at(-1)! + 1
  const seen = new Float64Array(slots * classes)
  const right = new Float64Array(slots * classes)
  for (let row = 0; row < frames.count; row++) {
    const scores = outputs.subarray(row * classes, (row + 1) * classes)
    const cell = frames.episode[row]! * classes + labels[row]!
    seen[cell]!++
    const best = Math.max(...scores)
    // A blind classifier that gives all labels the same is right once in `classes`, not always.
    const tied = scores.reduce((sum, score) => sum + (score === best ? 1 : 0), 0)
    if (scores[labels[row]!] === best) right[cell]! += 1 / tied
  }
  return {
    name,
    episodes,
    chance: 1 / classes,
    evaluate(counts) {
      let sum = 0
      let present = 0
      for (let label = 0; label < classes; label++) {
        let n = 0
        let hits = 0
        for (const episode of episodes) {
          n += counts[episode]! * seen[episode * classes + label]!
          hits += counts[episode]! * right[episode * classes + label]!
        }
        if (n === 0) continue
        present++
        sum += hits / n
      }
      return present === 0 ? NaN : sum / present
    },
  }
}

/** One probe a kind of nuisance; labels of fewer than three episodes are left out. */
function labelProbe(name: string, kind: string, data: EmbeddedEpisodes, rng: Rng): EpisodeStatistic {
  const labelOf = (position: number): string | undefined => data.episodes[position]!.nuisances?.[kind]
  const all = positionsWhere(data, ({ nuisances }) => nuisances?.[kind] !== undefined)
  const tally = new Map<string, number>()
  for (const position of all) tally.set(labelOf(position)!, (tally.get(labelOf(position)!) ?? 0) + 1)
  const labels = [...tally.keys()].filter((label) => tally.get(label)! >= MIN_PROBE_EPISODES).toSorted()
  if (labels.length < 2) return undefinedStatistic(name, `fewer than two kinds of ${kind} with three episodes each`)
  const positions = all.filter((position) => labels.includes(labelOf(position)!))
  const frames = spacedFrames(data, positions, PROBE_FRAMES)
  const dealt = dealFolds(
    positions.map((position) => labelOf(position)!),
    rng.split('folds'),
  )
  const byPosition = new Map(positions.map((position, i) => [position, dealt[i]!]))
  return nuisanceStatistic(name, {
    frames,
    inputs: sketchRows(
      gatherRows(data, frames, (episode) => episode.embeddings),
      rng.split('sketch'),
    ),
    labels: Int32Array.from(frames.episode, (position) => labels.indexOf(labelOf(position)!)),
    classes: labels.length,
    folds: Int32Array.from(frames.episode, (position) => byPosition.get(position)!),
  })
}

/** Which camera a frame is from, over the views that all of the episodes with views have. */
function cameraProbe(name: string, data: EmbeddedEpisodes, rng: Rng): EpisodeStatistic {
  const positions = positionsWhere(data, ({ views }) => views !== undefined)
  const names = Object.keys(data.episodes[positions[0] ?? 0]!.views ?? {}).filter((view) =>
    positions.every((position) => data.episodes[position]!.views![view] !== undefined),
  )
  if (positions.length < MIN_PROBE_EPISODES || names.length === 0) {
    return undefinedStatistic(name, 'fewer than three episodes that share a second camera')
  }
  const cameras = names.length + 1
  const frames = spacedFrames(data, positions, PROBE_FRAMES / cameras)
  const views = [
    gatherRows(data, frames, (episode) => episode.embeddings),
    ...names.map((view) => gatherRows(data, frames, (episode) => episode.views![view]!)),
  ]
  const rows = new Float32Array(views.flatMap((view) => [...view.data]))
  const repeat = (values: Int32Array): Int32Array => Int32Array.from(views.flatMap(() => [...values]))
  return nuisanceStatistic(name, {
    frames: { count: frames.count * cameras, episode: repeat(frames.episode), time: repeat(frames.time) },
    inputs: sketchRows({ data: rows, count: frames.count * cameras, size: data.embeddingSize }, rng.split('sketch')),
    labels: Int32Array.from({ length: frames.count * cameras }, (_, row) => Math.floor(row / frames.count)),
    classes: cameras,
    folds: repeat(foldsOfFrames(data, positions, frames, rng.split('folds'))),
  })
}

/**
 * Accuracy, mean over labels, of a linear classifier of what should not matter (distractor, hue, light, camera; each a row),
 * five-fold across episodes. 0 to 1, chance 1 / labels, best chance: an embedding that ignores it. Labels of fewer than three
 * episodes are left out; NaN for fewer than two labels. Below chance is chance too.
 */
const nuisanceProbe: Measure = {
  name: 'nuisance',
  title: 'What should not matter, read by a linear probe (accuracy)',
  direction: 'lower',
  scale: 'share',
  chance: NaN,
  best: NaN,
  needs: ['nuisances'],
  statistics(data, rng) {
    const kinds = new Set(data.episodes.flatMap(({ nuisances }) => Object.keys(nuisances ?? {})))
    const probes = [...kinds].toSorted().map((kind) => labelProbe(`nuisance/${kind}`, kind, data, rng.split(kind)))
    const hasViews = data.episodes.some(({ views }) => views !== undefined)
    return hasViews ? [...probes, cameraProbe('nuisance/view', data, rng.split('view'))] : probes
  },
}

/** What can be read of the embedding. */
export const probeMeasures: readonly Measure[] = [linearProbe, networkProbe, inverseProbe, nuisanceProbe]
