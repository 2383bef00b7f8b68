import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { evaluationEnvOf } from '../../src/compose/evaluation-env.ts'
import { loadRun } from '../../src/compose/load-run.ts'
import { policyGraph } from '../../src/compose/policy-graph.ts'
import { buildTrainer } from '../../src/compose/trainer.ts'
import { isGoalEnv } from '../../src/core/env.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { tf } from '../../src/tensor/tf.ts'
import { sets, SLOW_MS, temporaryFolder } from './helpers.ts'
import { runHere } from './in-process.ts'

const folder = temporaryFolder()
const [DISC, GRASP] = [join(folder, 'disc'), join(folder, 'grasp')]
const GRASPS = {
  'representation.config.width': 4,
  'representation.pretrain.frames': 36,
  'representation.pretrain.envOptions': { task: 'clear', size: 24 },
  'goals.source.config.bankSize': 3,
}
const SMALL = {
  'agent.config.hidden': [8],
  'training.batchSize': 8,
  'training.learningStarts': 10,
  'training.evalEpisodes': 1,
  'training.finalEpisodes': 2,
  'representation.pretrain.batchSize': 4,
  'representation.pretrain.updates': 3,
  'representation.pretrain.validationFraction': 0.4,
}

beforeAll(async () => {
  const disc = sets({
    ...SMALL,
    'env.options.size': 24,
    'representation.pretrain.frames': 60,
    'representation.pretrain.resetEvery': 10,
    'representation.pretrain.holdActions': 3,
  })
  expect((await runHere(['train', 'cc-rig-disc', '--steps', '60', '--out', DISC, ...disc])).stderr).not.toMatch(
    /^armature:/m,
  )
  const { 'agent.config.hidden': _hidden, ...others } = SMALL
  const grasp = sets({
    ...others,
    'env.options.size': 24,
    ...GRASPS,
  })
  expect((await runHere(['train', 'grasp2vec-bin', '--out', GRASP, ...grasp])).stderr).not.toMatch(/^armature:/m)
}, SLOW_MS)

test.each([
  ['cc-rig-push', { 'representation.pretrain.resetEvery': 10, 'representation.pretrain.frames': 60 }],
  ['rig-push-hues', { 'representation.pretrain.resetEvery': 10, 'representation.pretrain.frames': 60 }],
  ['grasp2vec-bin-sac', GRASPS],
])(
  '%s learns',
  async (preset, settings) => {
    const out = join(folder, preset)
    const words = sets({
      ...SMALL,
      'env.options.size': 24,
      ...settings,
      'training.learningStarts': 2,
      'training.logEvery': 2,
    })
    const { code, stderr } = await runHere(['train', preset, '--steps', '6', '--out', out, ...words])
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).toContain('train/critic_loss')
  },
  SLOW_MS,
)

describe('CC-RIG', () => {
  test('paints goals that it imagines in the light of an episode', () => {
    expect(existsSync(join(DISC, 'imagined-goals.png'))).toBe(true)
  })

  test('is trained in seen hues, and evaluated in unseen ones, or in those that are asked for', async () => {
    const { parts } = await loadRun(DISC)
    const hueIn = async (env: typeof parts.env): Promise<number> => {
      const [, , c, s] = (await env.reset({ seed: 3 })).observation.state
      return (Math.atan2(s!, c!) / (2 * Math.PI) + 1) % 1
    }
    const evaluation = await evaluationEnvOf(parts)
    expect(await hueIn(parts.env)).toBeLessThan(0.75)
    expect(await hueIn(evaluation.env)).toBeGreaterThanOrEqual(0.75)
    await evaluation.close()
    const rewards = async (...words: string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await runHere(['eval', DISC, '--episodes', '2', '--json', ...words])
      expect({ code, stderr }).toMatchObject({ code: 0 })
      const { file } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { file: string }
      return (JSON.parse(readFileSync(file, 'utf8')) as { results: unknown }).results
    }
    const unseen = await rewards()
    expect(await rewards('--set', 'hues=unseen')).toEqual(unseen)
    expect(await rewards('--set', 'hues=blue', '--envs', '2')).not.toEqual(unseen)
    await parts.env.close()
  })

  test('an option that the scene has not is refused', async () => {
    const { code, stderr } = await runHere(['eval', DISC, '--set', 'hue=blue'])
    expect(code).toBe(2)
    expect(stderr).toContain('armature/DiscArena-v0 has no option "hue"; did you mean hues?')
  })

  test('explores towards goals that keep the context of their episode', async () => {
    const { parts } = await loadRun(DISC)
    const trainer = await buildTrainer(parts)
    await trainer.run({ log: () => {} })
    const { features, goals, starts } = (await trainer.save()).arrays.replay!
    const [size, z] = [parts.representation.size, 2]
    // What was explored for: z is another, c that of the first observation.
    for (const position of [0, 30, 55]) {
      const start = Number(starts!.data[position])
      const first = Array.from(features!.data.slice(start * size, (start + 1) * size))
      const goal = Array.from(goals!.data.slice(position * size, (position + 1) * size))
      expect(goal.slice(z)).toEqual(first.slice(z))
      expect(goal.slice(0, z)).not.toEqual(first.slice(0, z))
    }
    await parts.env.close()
  })
})

describe('Grasp2Vec in the bin', () => {
  test('learns from grasps in a bin without commands, and is evaluated by which object is in hand', async () => {
    const evaluation = JSON.parse(readFileSync(join(GRASP, 'eval', 'grasp2vec-bin.json'), 'utf8')) as {
      results: { length: number; final: Record<string, number> }[]
    }
    for (const { length, final } of evaluation.results) {
      expect(length).toBe(1)
      expect(final['success']).toBe(final['distance'] === 0 ? 1 : 0)
    }
  })

  test('goes for the object that the env asks for in each episode, with goals in a space of their own', async () => {
    const { parts } = await loadRun(GRASP)
    const { representation, env } = parts
    expect(representation.goalSize).toBe(12)
    expect(representation.size).toBe(6 * 6 * 12)
    const trainer = await buildTrainer({
      ...parts,
      config: { ...parts.config, training: { ...parts.config.training, steps: 4 } },
    })
    const asked: number[][] = []
    const reset = env.reset.bind(env)
    env.reset = async (options) => {
      const result = await reset(options)
      if (!isGoalEnv(env)) throw new Error('no goals')
      const view = { images: await env.renderGoal(env.goal), state: env.goal }
      asked.push([...(await representation.begin().goal(view))])
      return result
    }
    await trainer.run({ log: () => {} })
    const { goals, starts } = (await trainer.save()).arrays.replay!
    const first = [...new Set(starts!.data)].map(Number)
    expect(first).toHaveLength(4)
    for (const [i, start] of first.entries()) {
      const goal = goals!.data.slice(start * 12, (start + 1) * 12)
      for (const [k, value] of [...goal].entries()) expect(value).toBeCloseTo(asked[i]![k]!, 5)
    }
    await env.close()
  })

  test('the graph of its policy acts as the policy does', async () => {
    const { parts } = await loadRun(GRASP)
    const { env } = parts
    if (!isGoalEnv(env)) throw new Error('no goals')
    const policy = agentPolicy(parts)
    const graph = policyGraph(parts)
    for (let seed = 0; seed < 3; seed++) {
      const { observation } = await env.reset({ seed })
      const goal = { images: await env.renderGoal(env.goal), state: env.goal }
      await policy.begin(goal)
      const expected = await policy.act(observation)
      const frames = (image: Uint8Array): tf.Tensor => tf.tensor(image, [1, 24, 24, 3], 'int32')
      const inputs = { frame: frames(observation.images['scene']!), goal: frames(goal.images['outcome']!) }
      const action = graph.action(inputs).dataSync()
      for (const [i, value] of expected.entries()) expect(action[i]).toBeCloseTo(value, 4)
    }
    await env.close()
  })

  test.each([
    [['representation.places=false'], 'goals.form heat: expected features by place'],
    [['goals.form.name=difference'], 'goals.form difference: expected goals in the space of the features'],
    [['representation.refresh.everySteps=10', 'representation.goalCamera=scene'], 'representation.refresh'],
    [
      ['representation.encoder=beta-vae', 'representation.goalCamera=scene'],
      'representation.places: expected an encoder that knows features by place, such as grasp2vec, got beta-vae',
    ],
  ])('%s is refused', async (assignments, message) => {
    const words = assignments.flatMap((assignment) => ['--set', assignment])
    const { code, stderr } = await runHere(['train', 'grasp2vec-bin', '--out', join(folder, 'refused'), ...words])
    expect({ code, isThere: existsSync(join(folder, 'refused')) }).toEqual({ code: 2, isThere: false })
    expect(stderr).toContain(message)
  })
})
