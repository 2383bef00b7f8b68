/**
 * Coverage of the intervals of the offline measures, simulated: how often the 95 % interval from n episodes holds the number that
 * infinitely many would give, and how often a paired comparison finds a difference where there is none.
 *
 *   npx tsx bench/interval-coverage.ts [--trials 2000] [--seed 0]
 *
 * Prints the table of docs/measures.md.
 */
import { parseArgs } from 'node:util'
import { Rng } from '../src/core/rng.ts'
import { comparePaired } from '../src/evaluate/measures/compare.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../src/evaluate/measures/embedded-episodes.ts'
import { measureEpisodes } from '../src/evaluate/measures/measures.ts'
import { effectiveRank } from '../src/evaluate/rows.ts'

const { values: flags } = parseArgs({
  options: { trials: { type: 'string', default: '2000' }, seed: { type: 'string', default: '0' } },
})
const TRIALS = Number(flags.trials)
/** Episodes that stand for infinitely many. */
const MANY = 1500
const COUNTS = [3, 5, 10, 20]

/** A world to draw episodes from, and the measure that is taken on them. */
interface Scenario {
  readonly name: string
  readonly measure: string
  /** What infinitely many episodes would give; default: what 1,500 give. */
  readonly truth?: number
  episodes(count: number, rng: Rng): EmbeddedEpisode[]
}

interface RewardModel {
  /** Standard deviation of an offset of the whole episode, in units of the spread of distances. */
  readonly offset: number
  readonly noise: number
  readonly classes?: readonly string[]
}

/** Twenty frames that approach a goal from somewhere, and a reward that is off by an episode's offset and a frame's noise. */
function approach({ offset, noise, classes = ['scripted'] }: RewardModel): Scenario['episodes'] {
  return (count, rng) =>
    Array.from({ length: count }, (_, index) => {
      const start = rng.normal()
      const shift = offset * rng.normal()
      const distances = Float32Array.from({ length: 20 }, (__, t) => start + 2 - t / 10)
      const rewards = distances.map((d) => -d + shift + noise * rng.normal())
      return { ...blank(index, classes[index % classes.length]!, 20), rewards, goalDistances: distances }
    })
}

/** Standard deviations of {@link cloud} along its axes, and the effective rank that follows, however the variance is shared out. */
const CLOUD_STDS = Array.from({ length: 8 }, (_, i) => 0.8 ** i)
const CLOUD_RANK = effectiveRank(Float64Array.from(CLOUD_STDS, (std) => std ** 2))

/** Twenty frames in eight dimensions of falling spread; `share` of the variance is between episodes. */
function cloud(share: number): Scenario['episodes'] {
  return (count, rng) =>
    Array.from({ length: count }, (_, index) => {
      const means = CLOUD_STDS.map((std) => std * Math.sqrt(share) * rng.normal())
      const embeddings = Float32Array.from({ length: 20 * 8 }, (__, at) => {
        return means[at % 8]! + CLOUD_STDS[at % 8]! * Math.sqrt(1 - share) * rng.normal()
      })
      return { index, class: 'random', length: 20, embeddings }
    })
}

/** Final rewards of successes and failures, `apart` standard deviations from each other; `failures` of each number of episodes. */
function outcomes(apart: number, failures: (count: number) => number, failed: string): Scenario['episodes'] {
  return (count, rng) => {
    const negatives = failures(count)
    return Array.from({ length: count + negatives }, (_, index) => {
      const success = index < count
      const rewards = Float32Array.of(0, (success ? apart : 0) + rng.normal())
      return { ...blank(index, success ? 'scripted' : failed, 2), success, rewards }
    })
  }
}

function blank(index: number, name: string, length: number): EmbeddedEpisode {
  return { index, class: name, length, embeddings: new Float32Array(length) }
}

const THREE = ['scripted', 'random', 'partial']
const SCENARIOS: readonly Scenario[] = [
  {
    name: 'Spearman of an episode, mean',
    measure: 'distance/spearman_episode',
    episodes: approach({ offset: 0, noise: 0.8 }),
  },
  {
    name: 'the same, three classes',
    measure: 'distance/spearman_episode',
    episodes: approach({ offset: 0, noise: 0.8, classes: THREE }),
  },
  {
    name: 'Spearman, pooled, offsets small',
    measure: 'distance/spearman',
    episodes: approach({ offset: 0.3, noise: 0.2 }),
  },
  {
    name: 'Spearman, pooled, offsets large',
    measure: 'distance/spearman',
    episodes: approach({ offset: 1, noise: 0.4 }),
  },
  { name: 'Pearson, pooled', measure: 'distance/pearson', episodes: approach({ offset: 0.8, noise: 0.3 }) },
  { name: 'effective rank, frames vary', measure: 'collapse/effective_rank', truth: CLOUD_RANK, episodes: cloud(0.1) },
  {
    name: 'effective rank, episodes vary',
    measure: 'collapse/effective_rank',
    truth: CLOUD_RANK,
    episodes: cloud(0.9),
  },
  { name: 'success AUC .76, n + n', truth: 0.76025, measure: 'success/auc', episodes: outcomes(1, (n) => n, 'random') },
  { name: 'success AUC .98, n + n', truth: 0.98305, measure: 'success/auc', episodes: outcomes(3, (n) => n, 'random') },
  {
    name: 'adversarial AUC .76, n + 1',
    truth: 0.76025,
    measure: 'adversarial/auc',
    episodes: outcomes(1, () => 1, 'adversarial'),
  },
  {
    name: 'adversarial AUC .92, n + 3',
    truth: 0.92135,
    measure: 'adversarial/auc',
    episodes: outcomes(2, () => 3, 'adversarial'),
  },
]

function dataOf(episodes: readonly EmbeddedEpisode[]): EmbeddedEpisodes {
  return { episodes, embeddingSize: episodes[0]!.embeddings.length / episodes[0]!.length }
}

function intervalOf(scenario: Scenario, count: number, rng: Rng): { estimate: number; low: number; high: number } {
  const data = dataOf(scenario.episodes(count, rng))
  return measureEpisodes(data, { rng: new Rng(0), only: [scenario.measure] }).measurements[0]!.interval
}

/** Share of trials whose interval holds the truth, of those that have one, in percent. */
function coverage(scenario: Scenario, truth: number, count: number, rng: Rng): string {
  let covered = 0
  let decided = 0
  for (let trial = 0; trial < TRIALS; trial++) {
    const { low, high } = intervalOf(scenario, count, rng.split(trial))
    if (Number.isNaN(low)) continue
    decided++
    if (low <= truth && truth <= high) covered++
  }
  return decided === 0 ? 'none' : ((100 * covered) / decided).toFixed(1)
}

/** Share of trials in which two encoders of the same worth are told apart, in percent. */
function falseFindings(classes: readonly string[], count: number, rng: Rng): string {
  const world = approach({ offset: 0.5, noise: 0.5, classes })
  const only = ['distance/spearman_episode']
  let found = 0
  for (let trial = 0; trial < TRIALS; trial++) {
    const episodes = world(count, rng.split(`${trial}/a`))
    const others = episodes.map((episode, i) => {
      const noise = rng.split(`${trial}/b/${i}`)
      return { ...episode, rewards: episode.goalDistances!.map((d) => -d + 0.5 * noise.normal()) }
    })
    const [a, b] = [episodes, others].map((each) => measureEpisodes(dataOf(each), { rng: new Rng(0), only }))
    if (comparePaired(only[0]!, [a!], b!)[0]!.verdict !== 'undecided') found++
  }
  return ((100 * found) / TRIALS).toFixed(1)
}

const master = new Rng(Number(flags.seed))
const header = ['what', ...COUNTS.map((n) => `n = ${n}`)]
const rows = SCENARIOS.map((scenario, i) => {
  const rng = master.split(i)
  const truth = scenario.truth ?? intervalOf(scenario, MANY, rng.split('truth')).estimate
  return [scenario.name, ...COUNTS.map((count) => coverage(scenario, truth, count, rng.split(count)))]
})
for (const classes of [['scripted'], THREE]) {
  const name = `differences found where there is none, ${classes.length === 1 ? 'one class' : 'three classes'}`
  rows.push([name, ...COUNTS.map((count) => falseFindings(classes, count, master.split(`${classes.length}/${count}`)))])
}
process.stdout.write(
  [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n') + '\n',
)
