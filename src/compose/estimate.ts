import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TrainConfig } from '../config/train-config.ts'
import { ArmatureError } from '../core/errors.ts'
import type { PhaseOptions } from '../log/progress.ts'
import { Progress, ProgressPhase } from '../log/progress.ts'
import { EVALUATION_SEED, evaluatePolicy } from '../evaluate/policy.ts'
import { agentPolicy } from '../run/policies.ts'
import { resolveConfig } from './config.ts'
import { withEncoderRun } from './encoder-run.ts'
import { memoryOf, requireMemory } from './memory.ts'
import type { MemoryNeed } from './memory.ts'
import { evaluationEnvOf } from './evaluation-env.ts'
import type { Parts } from './parts.ts'
import { buildParts } from './parts.ts'
import type { RunContext } from './run-context.ts'
import type { TrainOptions } from './training-run.ts'
import { train } from './training-run.ts'

/** One part of a run. */
export interface EstimatedPhase {
  readonly name: string
  /** How many, e.g. "30,000 steps". */
  readonly amount: string
  readonly seconds: number
}

/** What a run will take on this machine. */
export interface RunEstimate {
  readonly memory: readonly MemoryNeed[]
  readonly phases: readonly EstimatedPhase[]
  /** All phases together. */
  readonly seconds: number
}

/** Turns of the learners that are timed, after the first, in which programs are compiled. */
const TURNS = 30
/** Steps of random play that are timed. */
const RANDOM_STEPS = 100
const PRETRAIN_UPDATES = 15
const EXTRA_STARTS = 20
const TIMED_EPISODES = 3
const NEVER = 1_000_000_000

/**
 * Makes a run of the same parts in small, in a temporary folder, and says how long the whole would take from how long that took. Refreshes
 * of an encoder are not counted.
 * @throws ArmatureError as `train`; `bad-argument` for a run on a robot, which would move.
 */
export async function estimateRun(context: RunContext, preset: string, options: TrainOptions): Promise<RunEstimate> {
  const config = await withEncoderRun(resolveConfig(preset, options), options.set)
  if (config.env.robot !== undefined) {
    throw new ArmatureError('bad-argument', 'an estimate', { expected: 'a scene', got: 'a robot, which would move' })
  }
  const parts = await buildParts(config)
  requireMemory(parts)
  const memory = memoryOf(parts)
  await parts.env.close()
  const folder = await mkdtemp(join(tmpdir(), 'armature-estimate-'))
  try {
    const progress = new TimedProgress(context)
    const set = [...(options.set ?? []), ...miniatureOf(config)]
    const { steps: _whole, ...rest } = options
    const { parts: trained } = await train({ ...context, progress }, preset, { ...rest, set, out: join(folder, 'run') })
    const evaluationMs = await timeEpisodes(context, trained)
    const phases = [...pretrainingPhases(config, progress), ...trainingPhases(config, progress, evaluationMs)]
    return { memory, phases, seconds: phases.reduce((sum, { seconds }) => sum + seconds, 0) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Milliseconds of an evaluation episode, whose programs the run has compiled. */
async function timeEpisodes({ clock }: RunContext, parts: Parts): Promise<number> {
  const evaluation = await evaluationEnvOf(parts)
  const startMs = clock()
  await evaluatePolicy(evaluation.env, agentPolicy(parts), { episodes: TIMED_EPISODES, firstSeed: EVALUATION_SEED })
  const ms = (clock() - startMs) / TIMED_EPISODES
  await evaluation.close()
  return ms
}

/** Settings that make the run short. */
function miniatureOf({ representation, training }: TrainConfig): string[] {
  const learningStarts = Math.min(training.learningStarts, RANDOM_STEPS)
  const steps = learningStarts + (TURNS + 2) * training.updateEvery
  const settings: Record<string, number> = {
    'training.learningStarts': learningStarts,
    'training.steps': steps,
    'training.logEvery': NEVER,
    'training.evalEvery': NEVER,
    'training.checkpointEvery': NEVER,
    'training.evalEpisodes': 1,
  }
  if (representation.kind === 'encoder' && representation.from === undefined) {
    const { frames, resetEvery, validationFraction, updates, extraStarts } = representation.pretrain
    const least = Math.ceil((2 * resetEvery) / validationFraction) + resetEvery
    settings['representation.pretrain.frames'] = Math.min(frames, least)
    settings['representation.pretrain.updates'] = Math.min(updates, PRETRAIN_UPDATES)
    settings['representation.pretrain.extraStarts'] = Math.min(extraStarts, EXTRA_STARTS)
  }
  return Object.entries(settings).map(([name, value]) => `${name}=${value}`)
}

function pretrainingPhases({ representation }: TrainConfig, progress: TimedProgress): EstimatedPhase[] {
  if (representation.kind !== 'encoder' || representation.from !== undefined) return []
  const { frames, extraStarts, updates } = representation.pretrain
  const phase = (label: string, name: string, count: number, unit: string): EstimatedPhase => ({
    name,
    amount: `${count.toLocaleString('en')} ${unit}`,
    seconds: (progress.msPerUnit(label, 1) * count) / 1000,
  })
  return [
    phase('collect frames', 'collect frames', frames + extraStarts, 'frames'),
    phase(`pretrain ${representation.encoder}`, `pretrain ${representation.encoder}`, updates, 'updates'),
  ]
}

function trainingPhases(
  { preset, training }: TrainConfig,
  progress: TimedProgress,
  evaluationMs: number,
): EstimatedPhase[] {
  const label = `train ${preset}`
  const { steps, learningStarts, updateEvery, evalEvery, evalEpisodes, finalEpisodes } = training
  const random = Math.min(learningStarts, steps)
  const timed = Math.min(learningStarts, RANDOM_STEPS)
  const end = timed + (TURNS + 2) * updateEvery
  // The last step has an evaluation and a checkpoint in it.
  const randomMs = progress.msPerUnit(label, 1, timed)
  const learningMs = progress.msPerUnit(label, timed + updateEvery, end - 1)
  const evaluations = Math.ceil(steps / evalEvery) * evalEpisodes
  const amount = (count: number, unit: string): string => `${count.toLocaleString('en')} ${unit}`
  return [
    {
      name: 'train',
      amount: amount(steps, 'steps'),
      seconds: (random * randomMs + (steps - random) * learningMs) / 1000,
    },
    {
      name: 'evaluate',
      // Random play and standing still are evaluated beside the trained policy; they take less, but not much.
      amount: amount(evaluations + 3 * finalEpisodes, 'episodes'),
      seconds: ((evaluations + 3 * finalEpisodes) * evaluationMs) / 1000,
    },
  ]
}

/** Shows nothing, and remembers when each count was reached. */
class TimedProgress extends Progress {
  readonly #clock: () => number
  readonly #times = new Map<string, Map<number, number>>()

  constructor({ clock }: Pick<RunContext, 'clock'>) {
    super({ stream: { write: () => true }, clock, isSilent: true })
    this.#clock = clock
  }

  override phase(label: string, total: number, options: PhaseOptions = {}): ProgressPhase {
    const times = this.#times.get(label) ?? new Map<number, number>()
    this.#times.set(label, times)
    return new TimedPhase(this, this.#clock, [label], total, options, (done) => times.set(done, this.#clock()))
  }

  /** Milliseconds for one more, between two counts; default `to`: the last. 0 where nothing was counted. */
  msPerUnit(label: string, from: number, to?: number): number {
    const times = [...(this.#times.get(label) ?? [])].filter(
      ([done]) => done >= from && (to === undefined || done <= to),
    )
    const [first, last] = [times[0], times.at(-1)]
    return first === undefined || last === undefined || last[0] === first[0]
      ? 0
      : (last[1] - first[1]) / (last[0] - first[0])
  }
}

class TimedPhase extends ProgressPhase {
  readonly #onUpdate: (done: number) => void

  constructor(
    progress: Progress,
    clock: () => number,
    labels: readonly string[],
    total: number,
    options: PhaseOptions,
    onUpdate: (done: number) => void,
  ) {
    super(progress, clock, labels, total, options)
    this.#onUpdate = onUpdate
  }

  override update(done: number, note?: string): void {
    this.#onUpdate(done)
    super.update(done, note)
  }
}
