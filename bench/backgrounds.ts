/**
 * What encoders that learned before moving backgrounds know of them: the same episodes are played before several clips that were never learned from.
 *
 *   npx tsx bench/backgrounds.ts runs/learning/distractors/discs-pixels-0 runs/learning/distractors/discs-dbc-0
 *
 * Prints a row of Markdown for each run of `armature train` from pixels. Distances d are Euclidean, between latents:
 *
 * - denoising factor, after Luo et al. 2025 (arXiv 2506.00563): (d_other - d_same) / (d_other + d_same), where d_same is the mean distance
 *   of two backgrounds of one state, and d_other that of two states. 1: the background changes nothing; 0: it changes as much as the state does.
 * - task, background: R2 of linear probes of the env's state and goal, and of what the background adds to the mean colours of a 4x4 grid of the
 *   newest frame, over episodes that the probe was not fitted on.
 */
import { parseArgs } from 'node:util'
import { envs } from '../envs/index.ts'
import { evaluationOptions } from '../src/compose/evaluation-env.ts'
import { loadRun } from '../src/compose/load-run.ts'
import type { Encoder } from '../src/core/encoder.ts'
import { writeWindow } from '../src/core/encoder-input.ts'
import type { Env } from '../src/core/env.ts'
import { isGoalEnv } from '../src/core/env.ts'
import { Rng } from '../src/core/rng.ts'
import { rowDistance } from '../src/evaluate/measures/embedded-episodes.ts'
import { ridgeProbe } from '../src/evaluate/probes.ts'
import type { Rows } from '../src/evaluate/rows.ts'
import { momentsOf } from '../src/evaluate/rows.ts'
import { startEngine } from '../src/tensor/engine.ts'

const { values: flags, positionals: runs } = parseArgs({
  allowPositionals: true,
  options: { episodes: { type: 'string', default: '60' }, seed: { type: 'string', default: '0' } },
})
const EPISODES = Number(flags.episodes)
/** Clips and offsets that each episode is played before. */
const BACKGROUNDS = 4
/** Steps of an episode, and how far apart those are that are looked at; actions are random and held for so many steps. */
const [STEPS, EVERY, HOLD] = [64, 8, 4]
/** Cells of the grid on which the background is to be told. */
const GRID = 4

/** Rows of float32: what encoders give. */
type FloatRows = Rows & { readonly data: Float32Array }

/** Rows ordered by episode, moment and background. */
interface Seen {
  readonly latents: FloatRows
  /** The env's state and goal. */
  readonly tasks: Rows
  /** Mean colours of each cell, less their mean over the backgrounds of that state. */
  readonly backgrounds: Rows
}

await startEngine({ threads: 1 })
process.stdout.write('| run | denoising factor | task R2 | background R2 |\n| --- | --- | --- | --- |\n')
for (const run of runs) {
  const seen = await look(run)
  const cells = [
    denoisingFactor(seen.latents),
    meanR2(seen.latents, seen.tasks),
    meanR2(seen.latents, seen.backgrounds),
  ]
  process.stdout.write(`| ${run.split('/').at(-1)} | ${cells.map((cell) => cell.toFixed(2)).join(' | ')} |\n`)
}

async function look(run: string): Promise<Seen> {
  const { parts } = await loadRun(run)
  const { encoder, config } = parts
  if (config.representation.kind !== 'pixels' || encoder === undefined)
    throw new Error(`${run} does not learn from pixels`)
  const { camera, stack } = config.representation
  const rng = new Rng(Number(flags.seed))
  const scene = envs[config.env.id]!
  const rows: Omit<Played, 'frames'>[] = []
  const latents: Float32Array[] = []
  try {
    for (let episode = 0; episode < EPISODES; episode++) {
      const goal = isGoalEnv(parts.env) && { goal: [...parts.env.sampleGoal(rng.split(`goal/${episode}`))] }
      const env = await scene.make({ ...evaluationOptions(config.env), startSeed: episode, ...goal })
      const played: Played[][] = []
      for (let background = 0; background < BACKGROUNDS; background++) {
        await env.reset({ seed: episode * BACKGROUNDS + background })
        played.push(await play(env, camera, stack, rng.split(`actions/${episode}`)))
      }
      await env.close()
      for (let moment = 0; moment < played[0]!.length; moment++) {
        const same = played.map((moments) => moments[moment]!)
        latents.push(await encoded(encoder, same))
        rows.push(...same.map(({ task, cells }) => ({ task, cells: lessMean(cells, same) })))
      }
    }
  } finally {
    await parts.env.close()
  }
  return {
    latents: asRows(latents, encoder.spec.latentSize),
    tasks: asRows(rows.map(({ task }) => task)),
    backgrounds: asRows(rows.map(({ cells }) => cells)),
  }
}

interface Played {
  readonly task: Float32Array
  /** uint8 [stack, height, width, channels] */
  readonly frames: Uint8Array
  /** Mean colours of the newest frame, [GRID * GRID * channels]. */
  readonly cells: Float32Array
}

async function play(env: Env, camera: string, stack: number, rng: Rng): Promise<Played[]> {
  const [height, width, channels] = env.spec.imageSpaces[camera]!.shape as [number, number, number]
  const action = new Float32Array(env.spec.actionSpace.shape[0]!)
  const frames: Uint8Array[] = []
  const moments: Played[] = []
  for (let t = 0; t < STEPS; t++) {
    if (t % HOLD === 0) rng.fillUniform(action, -1, 1)
    const { observation } = await env.step(action)
    frames.push(observation.images[camera]!.slice())
    if ((t + 1) % EVERY !== 0) continue
    const stacked = new Uint8Array(height * width * channels * stack)
    writeWindow({ frames: stack, stride: 1 }, t, (time) => frames[time]!, stacked)
    const task = Float32Array.of(...observation.state, ...(isGoalEnv(env) ? env.goal : []))
    moments.push({ task, frames: stacked, cells: cellsOf(frames.at(-1)!, [height, width, channels]) })
  }
  return moments
}

function cellsOf(frame: Uint8Array, [height, width, channels]: readonly [number, number, number]): Float32Array {
  const cells = new Float32Array(GRID * GRID * channels)
  const area = (height * width) / GRID ** 2
  for (const [i, value] of frame.entries()) {
    const pixel = Math.floor(i / channels)
    const row = Math.floor((Math.floor(pixel / width) * GRID) / height)
    const column = Math.floor(((pixel % width) * GRID) / width)
    cells[(row * GRID + column) * channels + (i % channels)]! += value / area
  }
  return cells
}

function lessMean(cells: Float32Array, same: readonly Played[]): Float32Array {
  return cells.map((value, i) => value - same.reduce((sum, other) => sum + other.cells[i]!, 0) / same.length)
}

async function encoded(encoder: Encoder, moments: readonly Played[]): Promise<Float32Array> {
  const size = moments[0]!.frames.length
  const frames = new Uint8Array(moments.length * size)
  moments.forEach((moment, row) => frames.set(moment.frames, row * size))
  return await encoder.encode({ frames, count: moments.length })
}

function asRows(parts: readonly Float32Array[], size = parts[0]!.length): FloatRows {
  const data = Float32Array.from(parts.flatMap((part) => [...part]))
  return { data, count: data.length / size, size }
}

function denoisingFactor({ data, count, size }: FloatRows): number {
  const rng = new Rng(0)
  const states = count / BACKGROUNDS
  let [same, other] = [0, 0]
  for (let row = 0; row < count; row++) {
    const state = Math.floor(row / BACKGROUNDS)
    const background = (row + 1 + rng.int(BACKGROUNDS - 1)) % BACKGROUNDS
    const otherState = (state + 1 + rng.int(states - 1)) % states
    same += rowDistance(data, row, data, state * BACKGROUNDS + background, size)
    other += rowDistance(data, row, data, otherState * BACKGROUNDS + rng.int(BACKGROUNDS), size)
  }
  return (other - same) / (other + same)
}

/** Over the columns that vary; fitted on the first half of the episodes, scored on the second. */
function meanR2(latents: Rows, targets: Rows): number {
  const half = (EPISODES >> 1) * (latents.count / EPISODES)
  const all = Array.from({ length: latents.count }, (_, row) => row)
  const split = { train: all.slice(0, half), test: all.slice(half) }
  const { std } = momentsOf(targets, split.test)
  const scores = [...ridgeProbe(latents, targets, split)].filter((_, column) => std[column]! > 1e-6)
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}
