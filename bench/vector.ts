/**
 * Env steps per second by worker threads: `npx tsx bench/vector.ts --workers 0,1,2 [--env ID] [--envs N] [--steps N] [--size PIXELS]` plays
 * random actions and prints one JSON line per number of workers; 0 is the calling thread. `speedup` is against the first of them.
 */
import { parseArgs } from 'node:util'
import { makeVectorEnv, Rng } from '../src/index.ts'

const WARM_UP_STEPS = 100

const { values: options } = parseArgs({
  options: {
    env: { type: 'string', default: 'armature/PushPuck-v0' },
    workers: { type: 'string', default: '1,2' },
    envs: { type: 'string', default: '8' },
    steps: { type: 'string', default: '1000' },
    size: { type: 'string', default: '48' },
  },
})

async function stepsPerSecond(workers: number): Promise<number> {
  const [numEnvs, steps] = [Number(options.envs), Number(options.steps)]
  const envs = await makeVectorEnv(options.env, { numEnvs, workers, options: { size: Number(options.size) } })
  const rng = new Rng(0)
  const actions = new Float32Array(numEnvs * envs.spec.actionSpace.shape[0]!)
  await envs.reset({ seed: 0 })
  for (let i = 0; i < WARM_UP_STEPS; i++) await envs.step(rng.fillUniform(actions, -1, 1))
  const start = performance.now()
  for (let i = 0; i < steps; i++) await envs.step(rng.fillUniform(actions, -1, 1))
  const seconds = (performance.now() - start) / 1000
  await envs.close()
  return (numEnvs * steps) / seconds
}

let first: number | undefined
for (const workers of options.workers.split(',').map(Number)) {
  const rate = await stepsPerSecond(workers)
  first ??= rate
  const line = { env: options.env, envs: Number(options.envs), workers, env_steps_per_s: Math.round(rate) }
  process.stdout.write(`${JSON.stringify({ ...line, speedup: Number((rate / first).toFixed(2)) })}\n`)
}
