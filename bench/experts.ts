/**
 * How often the scripted experts and random play solve the scenes: 100 seeded episodes each, success at the last step.
 *
 *   npx tsx bench/experts.ts [--episodes 100] [--only armature/Door-v0,armature/Reach-v0]
 *
 * Prints a table in Markdown, the one of docs/scenes.md.
 */
import { parseArgs } from 'node:util'
import type { ExpertFactory } from '../envs/experts/expert.ts'
import type { EnvEntry } from '../envs/index.ts'
import { envs } from '../envs/index.ts'
import type { Policy } from '../src/core/policy.ts'
import { Rng } from '../src/core/rng.ts'
import { evaluatePolicy, summarize } from '../src/evaluate/policy.ts'
import { randomPolicy } from '../src/run/policies.ts'

const { values } = parseArgs({
  options: { episodes: { type: 'string', default: '100' }, only: { type: 'string' } },
})
const episodes = Number(values.episodes)
const only = values.only?.split(',')

process.stdout.write('| scene | expert | random play |\n| --- | --- | --- |\n')
for (const [id, entry] of Object.entries(envs)) {
  if (entry.expert === undefined || (only !== undefined && !only.includes(id))) continue
  const expert = await successRate(entry, expertPolicy(entry.expert))
  const random = await successRate(entry)
  process.stdout.write(`| ${id} | ${expert.toFixed(2)} | ${random.toFixed(2)} |\n`)
}

async function successRate(entry: EnvEntry, policy?: Policy): Promise<number> {
  const env = await entry.make({ size: 1, supersample: 'off' })
  const results = await evaluatePolicy(env, policy ?? randomPolicy(env.spec.actionSpace, new Rng(1)), {
    episodes,
    firstSeed: 0,
  })
  await env.close()
  return summarize(results)['eval/success_rate']!
}

function expertPolicy(make: ExpertFactory): Policy {
  let expert = make()
  let goal: Float32Array | undefined
  return {
    name: 'expert',
    begin: async (view) => {
      expert = make()
      goal = view?.state
    },
    act: async (observation) => expert(observation, goal).slice(),
  }
}
