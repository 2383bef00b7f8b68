/**
 * Is memory flat while training goes on? `node --expose-gc --import tsx bench/soak.ts rig-push --steps 20000 [--set key=value]`
 * trains without an encoder's pretraining and prints, every `training.logEvery` steps and after a garbage collection, one JSON line:
 * step, resident set size and what JavaScript holds in MB, live tensors. See docs/performance.md.
 */
import { parseArgs } from 'node:util'
import { resolveConfig } from '../src/compose/config.ts'
import { evaluationEnvOf } from '../src/compose/evaluation-env.ts'
import { buildParts } from '../src/compose/parts.ts'
import { buildTrainer } from '../src/compose/trainer.ts'
import { evaluatePolicy, summarize } from '../src/evaluate/policy.ts'
import { agentPolicy } from '../src/run/policies.ts'
import { startEngine } from '../src/tensor/engine.ts'
import { tf } from '../src/tensor/tf.ts'

const BYTES_PER_MB = 1e6

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '20000' },
    set: { type: 'string', multiple: true, default: [] },
  },
})
if (globalThis.gc === undefined) throw new Error('expected node --expose-gc')

await startEngine({ threads: 1 })
const config = resolveConfig(positionals[0] ?? 'rig-push', { steps: Number(options.steps), set: options.set })
const parts = await buildParts(config)
const trainer = await buildTrainer(parts)
const policy = agentPolicy(parts)
const { env: evaluationEnv } = await evaluationEnvOf(parts)
let reported = 0

const report = (step: number): void => {
  globalThis.gc!()
  const { rss, heapUsed, external } = process.memoryUsage()
  const mb = (bytes: number): number => Number((bytes / BYTES_PER_MB).toFixed(2))
  process.stdout.write(
    `${JSON.stringify({ step, rss_mb: mb(rss), js_mb: mb(heapUsed + external), tensors: tf.memory().numTensors })}\n`,
  )
}

await trainer.run({
  log: (step) => {
    // An evaluation logs a second row for its step.
    if (step > reported) report(step)
    reported = step
  },
  evaluate: async () => summarize(await evaluatePolicy(evaluationEnv, policy, { episodes: 2, firstSeed: 0 })),
  checkpoint: async () => {
    await trainer.save()
    parts.agent.save()
    parts.encoder?.save()
  },
})
