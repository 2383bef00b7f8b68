/**
 * How often the scripted experts push and lift with arms from files: success at any step, as in tests/envs/arm-scenes.test.ts.
 *
 *   npx tsx bench/robot-experts.ts [--episodes 50] [--only armature/ArmPush-v0] FILE ...
 *
 * Prints a row per arm and scene of the table in docs/results/robots.md.
 */
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { envs } from '../envs/index.ts'
import { ARM_LIFT_ID } from '../envs/tasks/arm-lift.ts'
import { ARM_PUSH_ID } from '../envs/tasks/arm-push.ts'
import type { GoalEnv } from '../src/core/env.ts'

const { values, positionals } = parseArgs({
  options: { episodes: { type: 'string', default: '50' }, only: { type: 'string' } },
  allowPositionals: true,
})
const ids = values.only === undefined ? [ARM_PUSH_ID, ARM_LIFT_ID] : [values.only]

process.stdout.write('| arm | scene | expert |\n| --- | --- | --- |\n')
for (const robot of positionals) {
  for (const id of ids) process.stdout.write(`| ${basename(robot)} | ${id} | ${await successes(id, robot)} |\n`)
}

async function successes(id: string, robot: string): Promise<string> {
  let env: GoalEnv
  try {
    env = (await envs[id]!.make({ size: 1, supersample: 'off', robot })) as GoalEnv
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  let wins = 0
  for (let seed = 0; seed < Number(values.episodes); seed++) {
    const expert = envs[id]!.expert!()
    let { observation, info } = await env.reset({ seed })
    for (let isOver = false; !isOver && info['success'] === 0;) {
      const step = await env.step(expert(observation, env.goal))
      ;({ observation, info } = step)
      isOver = step.terminated || step.truncated
    }
    wins += info['success']!
  }
  await env.close()
  return `${wins} of ${values.episodes}`
}
