import { join } from 'node:path'
import { isLearning } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { Rng } from '../core/rng.ts'
import { embeddingMeasures } from '../evaluate/embedding.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import { encodeJson } from '../io/json.ts'
import type { RunFolder } from '../io/run-folder.ts'
import type { RunLogger } from '../log/run-logger.ts'
import type { CollectedFrames } from '../run/collect.ts'
import { collectFrames, joinFrames, startFrames } from '../run/collect.ts'
import { framesData, pretrainEncoder } from '../run/pretrain.ts'
import type { Parts } from './parts.ts'
import type { RunContext } from './run-context.ts'
import { resumeCommand, throwIfInterrupted } from './run-context.ts'

/** Collects frames, trains the encoder on them, and says how good it became on those that were held out; not with an encoder run. */
export async function pretrainInRun(
  context: RunContext,
  parts: Parts,
  folder: RunFolder,
  logger: RunLogger,
): Promise<void> {
  const { encoder, config, env } = parts
  if (encoder === undefined || config.representation.kind !== 'encoder') return
  if (config.representation.from !== undefined) return
  const { camera, pretrain: settings } = config.representation
  const rng = new Rng(config.seed).split('pretrain')
  const startAgain = `there is no checkpoint before training: ${resumeCommand(context, folder)} starts from the beginning`
  const collect = async (what: 'frames' | 'starts', count: number, resetEvery: number): Promise<CollectedFrames> => {
    const collecting = context.progress.phase(`collect ${what}`, count, { unit: 'frames' })
    const collected = await collectFrames(env, rng.split(what), {
      camera,
      count,
      resetEvery,
      start: settings.start,
      onProgress: (done) => {
        throwIfInterrupted(context, startAgain)
        collecting.update(done)
      },
    })
    collecting.finish()
    return collected
  }
  const data = await collect('frames', settings.frames, settings.resetEvery)

  const trainCount = Math.floor(settings.frames * (1 - settings.validationFraction))
  const statistics = await encoder.fitStatistics?.({ frames: data.frames, count: data.count })
  if (statistics) logger.log(0, Object.fromEntries(Object.entries(statistics).map(([k, v]) => [`embed/${k}`, v])))
  if (isLearning(encoder)) {
    const learning = context.progress.phase(`pretrain ${encoder.spec.name}`, settings.updates, { unit: 'updates' })
    const batches = framesData(data, { batchSize: settings.batchSize, trainCount }, rng.split('batches'))
    await pretrainEncoder(encoder, batches, {
      updates: settings.updates,
      logEvery: 100,
      onMetrics: (update, metrics) => logger.log(update, metrics),
      onUpdate: (done) => {
        throwIfInterrupted(context, startAgain)
        learning.update(done)
      },
    })
    learning.finish()
  }
  const frameSize = data.frames.length / data.count
  if (encoder.fitPrior) {
    const seen =
      settings.priorFrames === 'starts'
        ? startFrames(data, trainCount)
        : { frames: data.frames.subarray(0, trainCount * frameSize), count: trainCount }
    const { extraStarts } = settings
    await encoder.fitPrior(extraStarts === 0 ? seen : joinFrames(seen, await collect('starts', extraStarts, 1)))
  }

  const heldOut = {
    frames: data.frames.subarray(trainCount * frameSize),
    count: data.count - trainCount,
  }
  const latents = await encoder.encode(heldOut)
  const stateSize = data.states.length / data.count
  const measures = embeddingMeasures(
    {
      latents,
      states: data.states.subarray(trainCount * stateSize),
      count: heldOut.count,
      stateNames: env.spec.stateSpace.names ?? Array.from({ length: stateSize }, (_, i) => String(i)),
      episodes: data.episodes.subarray(trainCount),
      trueDistance: trueDistanceOf(env),
    },
    rng.split('measures'),
  )
  logger.log(settings.updates, measures)
  // A probe of a state that stood still on the test rows is NaN, which JSON cannot hold.
  const written = Object.fromEntries(Object.entries(measures).map(([name, x]) => [name, Number.isFinite(x) ? x : null]))
  await writeFileAtomic(join(folder.evaluations, 'embedding.json'), encodeJson(written, 'embedding.json'))
}

/** The distance that the env's task is scored by, or the Euclidean distance of states. */
function trueDistanceOf(env: Env): (a: Float32Array, b: Float32Array) => number {
  if (isGoalEnv(env)) return (a, b) => env.goalDistances(env.achievedGoal(a), env.achievedGoal(b)).distance!
  return (a, b) => Math.hypot(...a.map((x, i) => x - b[i]!))
}
