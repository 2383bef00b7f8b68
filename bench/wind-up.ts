/**
 * Random actions without end, over all scenes: nothing may become NaN, leave its space, throw or grow.
 *
 *   node --expose-gc --import tsx bench/wind-up.ts [--steps 1000000] [--only armature/Door-v0]
 *
 * `--steps` is the total, shared out evenly; a step of GraspBin is a whole grasp and counts as 50. Every tenth of the actions is held for
 * 20 steps at a corner of the action space, which is what winds controllers up. Prints a line per scene, and exits with 1 at the first failure.
 */
import { parseArgs } from 'node:util'
import type { EnvEntry } from '../envs/index.ts'
import { envs } from '../envs/index.ts'
import { sizeOf } from '../src/core/ndarray.ts'
import { Rng } from '../src/core/rng.ts'
import { sampleSpace, whyOutside } from '../src/core/spaces.ts'

const { values } = parseArgs({
  options: { steps: { type: 'string', default: '1000000' }, only: { type: 'string' } },
})
const STEPS_OF_A_GRASP = 50
const HOLD = 20
const only = values.only?.split(',')
const chosen = Object.entries(envs).filter(([id]) => only === undefined || only.includes(id))
const share = Math.ceil(Number(values.steps) / chosen.length)

for (const [id, entry] of chosen) {
  const steps = Math.ceil(id === 'armature/GraspBin-v0' ? share / STEPS_OF_A_GRASP : share)
  const before = heapMb()
  const problem = await windUp(entry, steps)
  const line = `${id}: ${steps} steps, memory ${before.toFixed(0)} -> ${heapMb().toFixed(0)} MB`
  process.stdout.write(problem === undefined ? `${line}\n` : `${line}, ${problem}\n`)
  if (problem !== undefined) process.exit(1)
}

async function windUp(entry: EnvEntry, steps: number): Promise<string | undefined> {
  const env = await entry.make({ size: 1, supersample: 'off' })
  const { actionSpace, stateSpace, proprioSpace } = env.spec
  const rng = new Rng(1)
  const action = new Float32Array(sizeOf(actionSpace.shape))
  await env.reset({ seed: 1 })
  for (let step = 0; step < steps; step++) {
    const phase = step % (10 * HOLD)
    if (phase === 0) for (let i = 0; i < action.length; i++) action[i] = rng.int(2) * 2 - 1
    if (phase >= HOLD) sampleSpace(actionSpace, rng, action)
    const { observation, reward, info, terminated, truncated } = await env.step(action)
    const why = whyOutside(stateSpace, observation.state) ?? whyOutside(proprioSpace, observation.proprio)
    if (why !== undefined) return `step ${step}: ${why}`
    if (!Number.isFinite(reward) || !Object.values(info).every(Number.isFinite)) return `step ${step}: reward ${reward}`
    if (terminated || truncated) await env.reset()
  }
  await env.close()
  return undefined
}

function heapMb(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}
