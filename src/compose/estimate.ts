import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArmatureError } from '../core/errors.ts'
import { EVALUATION_SEED, evaluatePolicy } from '../evaluate/policy.ts'
import { createRunFolder } from '../io/run-folder.ts'
import { formatDuration } from '../log/format.ts'
import type { PhaseOptions } from '../log/progress.ts'
import { Progress, ProgressPhase } from '../log/progress.ts'
import { openRunLogger } from '../log/run-logger.ts'
import { agentPolicy } from '../run/policies.ts'
import type { ConfigOptions } from './config.ts'
import { resolveConfig } from './config.ts'
import { pretrainInRun } from './encoder-pretraining.ts'
import { adoptEncoder, withEncoderRun } from './encoder-run.ts'
import { modelOf, restoreModel } from './load-run.ts'
import type { MemoryNeed } from './memory.ts'
import { checkDemonstration, showDemonstration } from './imitation.ts'
import { memoryOf, requireMemory } from './memory.ts'
import type { Parts } from './parts.ts'
import { buildParts, makeScene } from './parts.ts'
import type { RunContext } from './run-context.ts'
import { throwIfInterrupted } from './run-context.ts'
import { buildTrainer } from './trainer.ts'

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

/** Turns of the learners that are timed, after the first, in which programs are compiled; fewer where they take longer than that. */
const TURNS = 20
const TURNS_MS = 1000
/** Steps of random play that are timed. */
const RANDOM_STEPS = 100
const PRETRAIN_UPDATES = 15
const EXTRA_STARTS = 20

/**
 * Times a few updates, steps and episodes of a run that is not kept, and says how long the whole would take. Refreshes of an encoder are not counted,
 * and envs that play at the same time count as one.
 * @throws ArmatureError as `train`; `bad-argument` for a run on a robot, which would move.
 */
export async function estimateRun(context: RunContext, preset: string, options: ConfigOptions): Promise<RunEstimate> {
  const config = await withEncoderRun(resolveConfig(preset, options), options.set)
  if (config.env.robot !== undefined) {
    throw new ArmatureError('bad-argument', 'an estimate', { expected: 'a scene', got: 'a robot, which would move' })
  }
  const parts = await buildParts(config)
  try {
    requireMemory(parts)
    await parts.reward?.check?.()
    await adoptEncoder(parts)
    await checkDemonstration(parts)
    const pretraining = await timePretraining(context, parts)
    await showDemonstration(parts)
    const phases = [...pretraining, ...(await estimateTraining(context, parts))]
    throwIfInterrupted(context)
    return { memory: memoryOf(parts), phases, seconds: secondsOf(phases) }
  } finally {
    await parts.env.close()
  }
}

/** All of `phases` together. */
function secondsOf(phases: readonly EstimatedPhase[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0)
}

/** `phases` in one line, e.g. `about 12 min 05 s (train 30,000 steps 11 min 02 s, evaluate 400 episodes 1 min 03 s)`. */
export function durationText(phases: readonly EstimatedPhase[]): string {
  const each = phases.map(({ name, amount, seconds }) => `${name} ${amount} ${formatDuration(seconds)}`)
  return `about ${formatDuration(secondsOf(phases))} (${each.join(', ')})`
}

/** The encoder learns for a short while, in a temporary folder. */
async function timePretraining(context: RunContext, parts: Parts): Promise<EstimatedPhase[]> {
  const { config } = parts
  const { representation, env, seed } = config
  if (representation.kind !== 'encoder' || representation.from !== undefined) return []
  const { frames, resetEvery, validationFraction, updates, goalFrames, extraStarts } = representation.pretrain
  const short = {
    ...representation.pretrain,
    frames: Math.min(frames, Math.ceil((2 * resetEvery) / validationFraction) + resetEvery),
    updates: Math.min(updates, PRETRAIN_UPDATES),
    goalFrames: Math.min(goalFrames, resetEvery),
    extraStarts: Math.min(extraStarts, EXTRA_STARTS),
  }
  const small = { ...parts, config: { ...config, representation: { ...representation, pretrain: short } } }
  const progress = new TimedProgress(context)
  const place = await mkdtemp(join(tmpdir(), 'armature-estimate-'))
  try {
    const folder = await createRunFolder(join(place, 'run'), { config: small.config, seed, command: context.command })
    const logger = openRunLogger(folder.path, { clock: context.clock, envId: env.id })
    await pretrainInRun({ ...context, progress }, small, folder, logger).finally(() => logger.close())
  } finally {
    await rm(place, { recursive: true, force: true })
  }
  const phase = (label: string, count: number, unit: string): EstimatedPhase => ({
    name: label,
    amount: amountOf(count, unit),
    seconds: (progress.msPerUnit(label) * count) / 1000,
  })
  return [
    phase('collect frames', frames + goalFrames + extraStarts, 'frames'),
    phase(`pretrain ${representation.encoder}`, updates, 'updates'),
  ]
}

function amountOf(count: number, unit: string): string {
  return `${count.toLocaleString('en')} ${unit}`
}

/**
 * How long `parts`, whose encoder has been pretrained, will take to train and evaluate: times some of both in a scene of its own. Agent and encoder are
 * then as they were, bit for bit, with their programs compiled.
 */
export async function estimateTraining(context: RunContext, parts: Parts): Promise<EstimatedPhase[]> {
  const model = modelOf(parts)
  const env = await makeScene(parts.config)
  try {
    const { randomMs, turnMs } = await timeSteps(context, { ...parts, env })
    const startMs = context.clock()
    await evaluatePolicy(env, agentPolicy({ ...parts, env }), { episodes: 1, firstSeed: EVALUATION_SEED })
    const episodeMs = context.clock() - startMs
    const { steps, learningStarts, updateEvery, evalEvery, evalEpisodes, finalEpisodes } = parts.config.training
    const random = Math.min(learningStarts, steps)
    // Random play and standing still are evaluated beside the trained policy; they take less, but not much.
    const episodes = Math.ceil(steps / evalEvery) * evalEpisodes + 3 * finalEpisodes
    const trainingMs = random * randomMs + ((steps - random) / updateEvery) * turnMs
    return [
      { name: 'train', amount: amountOf(steps, 'steps'), seconds: trainingMs / 1000 },
      { name: 'evaluate', amount: amountOf(episodes, 'episodes'), seconds: (episodes * episodeMs) / 1000 },
    ]
  } finally {
    restoreModel(parts, model)
    await env.close()
  }
}

interface StepTimes {
  /** Of a step of random play. */
  readonly randomMs: number
  /** Of the steps from one turn of the learners to the next, with that turn. */
  readonly turnMs: number
}

async function timeSteps({ clock, signal }: RunContext, parts: Parts): Promise<StepTimes> {
  const { config } = parts
  const { updateEvery, learningStarts } = config.training
  const random = Math.min(learningStarts, RANDOM_STEPS)
  // No longer than the run itself, but for a turn to time.
  const most = Math.max(config.training.steps, random + 2 * updateEvery)
  const steps = Math.min(random + (TURNS + 2) * updateEvery, most)
  const capacity = Math.min(config.replay.capacity, steps + 2)
  const small = {
    ...config,
    replay: { ...config.replay, capacity },
    training: { ...config.training, learningStarts: random, steps },
  }
  const trainer = await buildTrainer({ ...parts, config: small })
  const enough = new AbortController()
  // By step. The first turn, at the first multiple of updateEvery from learningStarts on, compiles programs.
  const times = [clock()]
  const compiled = Math.ceil(random / updateEvery) * updateEvery
  const progress = (step: number): void => {
    times[step] = clock()
    if (step > compiled && times[step] - times[compiled]! > TURNS_MS && (step - compiled) % updateEvery === 0)
      enough.abort()
  }
  await trainer.run({ log: () => {}, progress }, AbortSignal.any([signal, enough.signal]))
  const turns = Math.floor((times.length - 1 - compiled) / updateEvery)
  const lastRandom = random === compiled ? random - 1 : random
  return {
    randomMs: lastRandom < 1 ? 0 : (times[lastRandom]! - times[0]!) / lastRandom,
    turnMs: turns < 1 ? 0 : (times[compiled + turns * updateEvery]! - times[compiled]!) / turns,
  }
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

  /** Milliseconds for one more, after the first. 0 where no two were counted. */
  msPerUnit(label: string): number {
    const times = [...(this.#times.get(label) ?? [])].filter(([done]) => done >= 1)
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
