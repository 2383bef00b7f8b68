import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { estimateRun } from '../../src/compose/estimate.ts'
import { loadRun } from '../../src/compose/load-run.ts'
import { trainRun } from '../../src/compose/train-run.ts'
import type { TrainRunOptions } from '../../src/compose/train-run.ts'
import { Rng } from '../../src/core/rng.ts'
import { evaluatePolicy } from '../../src/evaluate/policy.ts'
import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { Progress } from '../../src/log/progress.ts'
import { collectEpisodes } from '../../src/run/collect.ts'
import { datasetSpecOf } from '../../src/run/episode-track.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { temporaryFolder } from '../cli/helpers.ts'

const folder = temporaryFolder()
const GOAL = [-0.02, -0.03, 0.02, 0.08]
/** An encoder that has nothing to learn: what is tested is what follows. */
const SMALL = [
  'representation.encoder=pixels',
  'representation.config={"block":8}',
  'representation.pretrain={"frames":60,"resetEvery":10,"validationFraction":0.4,"updates":0}',
  'agent.config.hidden=[8]',
  'training={"steps":60,"learningStarts":10,"batchSize":8,"updateEvery":10,"logEvery":10,"evalEvery":1000,"evalEpisodes":1,"checkpointEvery":35}',
]

beforeAll(() => startEngine({ name: 'js' }))

function trained(name: string, set: readonly string[] = [], more: TrainRunOptions = {}) {
  return trainRun('tcn-imitate', { out: join(folder, name), set: [...SMALL, ...set], ...more })
}

/** A dataset of one short episode. */
async function recorded(name: string, id: string, options: Record<string, unknown>): Promise<string> {
  const path = join(folder, name)
  const env = await makeEnv(id, options)
  const cameras = Object.keys(env.spec.imageSpaces)
  const [episode] = await collectEpisodes(env, new Rng(1), { cameras, count: 8, resetEvery: 8, start: 'default' })
  const writer = await LeRobotWriter.create(path, datasetSpecOf(env))
  await writer.addEpisode(episode!)
  await writer.close()
  await env.close()
  return path
}

describe('following a demonstration', () => {
  test.each(['latents', 'state', 'proprio'])(
    'from %s, replay holds what the demonstration paid, and how far it had got',
    async (sees) => {
      const { parts } = await trained(sees, [`representation.sees=${sees}`])
      const size = { latents: 108, state: 4, proprio: 2 }[sees]! + 1
      expect(parts.representation.size).toBe(size)
      const { parts: loaded } = await loadRun(join(folder, sees))
      expect(loaded.demonstration!.last).toBe(parts.demonstration!.last)
      // The policy is evaluated as it was trained, with a demonstration of its own checkpoint.
      const results = []
      for (const { env, representation, agent } of [parts, loaded]) {
        const policy = agentPolicy({ env, representation, agent })
        results.push(await evaluatePolicy(env, policy, { episodes: 1, firstSeed: 3 }))
      }
      expect(results[1]).toEqual(results[0])
      await loaded.env.close()
      await parts.env.close()
    },
  )

  test('says how much nearer to it an expert is than random play, as the own camera sees both', async () => {
    const own = ['imitation.demonstration.camera=front', 'imitation.demonstration.envOptions={}']
    const measured = async (name: string, set: readonly string[]): Promise<Record<string, number>> => {
      const { folder: run } = await trained(name, set, { steps: 10 })
      return JSON.parse(readFileSync(join(run.evaluations, 'demonstration.json'), 'utf8')) as Record<string, number>
    }
    // The expert does what it has shown, and the same camera sees it again.
    const same = await measured('same-camera', own)
    expect(same).toMatchObject({ 'imitation/above_random': 1, 'imitation/expert_distance': 0 })
    expect(same['imitation/random_distance']).toBeGreaterThan(0.1)
    // To pixels another camera shows something else.
    const other = await measured('other-camera', [])
    expect(other['imitation/expert_distance']).toBeGreaterThan(1)
    expect(other['imitation/above_random']).toBeLessThan(1)
  })

  test('goes on in mid-episode as if it had never been stopped', async () => {
    const set = ['representation.sees=state', 'training.checkpointEvery=30', 'imitation.alignment=nearest']
    const through = await trained('through', set)
    // 30 steps end within the first episode.
    const first = await trained('stopped', set, { steps: 30 })
    await first.parts.env.close()
    const resumed = await trainRun(undefined, { out: join(folder, 'stopped'), resume: true, steps: 60 })
    const files = ['through', 'stopped'].map((name) => {
      const at = join(folder, name, 'checkpoints', 'step_000000060')
      return [join(at, 'model.safetensors'), join(at, 'training_state', 'replay.safetensors')].map((file) =>
        readFileSync(file),
      )
    })
    expect(files[1]![0]!.equals(files[0]![0]!)).toBe(true)
    expect(resumed.parts.demonstration!.save()).toEqual(through.parts.demonstration!.save())
  })

  test('takes an estimated time', async () => {
    const { signal } = new AbortController()
    const progress = new Progress({ stream: { write: () => true }, clock: () => 0, isSilent: true })
    const context = {
      command: [],
      progress,
      clock: () => performance.now(),
      cpuMs: () => performance.now(),
      signal,
      invocation: (words: string) => words,
    }
    const { phases } = await estimateRun(context, 'tcn-imitate', { set: SMALL })
    expect(phases.map(({ name }) => name)).toEqual(['collect frames', 'pretrain pixels', 'train', 'evaluate'])
  })

  test('of a recorded episode asks in evaluation for where that ended', async () => {
    const data = await recorded('mine', 'armature/PushPuck-v0', { cameras: ['side'] })
    const { parts } = await trained('user', [], { demo: data, episode: 0, steps: 10 })
    expect(parts.demonstration!.last).toBe(7)
    const { goal } = parts.config.env.options as { goal: number[] }
    expect(goal).toHaveLength(4)
    expect(goal).not.toEqual(GOAL)
  })

  test('from other looks and by another camera, it is the same in every run of a seed', async () => {
    const runs = await Promise.all(['seed-a', 'seed-b'].map((name) => trained(name, [], { steps: 10 })))
    const [a, b] = runs.map(({ parts }) => parts.demonstration!.save()['latents']!)
    expect(a).toEqual(b)
    expect(a!.shape[0]).toBeGreaterThan(10)
    expect(a!.shape[0]).toBeLessThan(51)
    // What the policy's own camera shows at the start is not what the demonstration shows: neither camera nor colours are the same.
    const { observation } = await runs[0]!.parts.env.reset({ seed: 1 })
    const own = await runs[0]!.parts.encoder!.encode({ count: 1, frames: observation.images['front']! })
    expect(own).not.toEqual(a!.data.slice(0, own.length))
  })
})

describe('a demonstration that cannot be followed is refused before anything is made', () => {
  let one: string
  let other: string
  let large: string
  beforeAll(async () => {
    one = await recorded('front-only', 'armature/PushPuck-v0', { cameras: ['front'] })
    other = await recorded('other-env', 'armature/Reach-v0', {})
    large = await recorded('large', 'armature/PushPuck-v0', { cameras: ['side'], size: 64 })
  })

  test.each([
    ['missing camera', () => ({ demo: one }), 'front-only: expected camera side, got front; name the one'],
    [
      'another env',
      () => ({ demo: other }),
      'other-env: expected one in armature/PushPuck-v0, got one in armature/Reach-v0',
    ],
    ['another size', () => ({ demo: large }), 'large: expected frames of 48x48x3, got 64x64x3 from camera side'],
    ['no dataset', () => ({ demo: join(folder, 'nowhere') }), 'nowhere'],
    ['no such episode', () => ({ demo: one, episode: 7 }), 'expected episode 7, got 1 episodes'],
    ['a number without a dataset', () => ({ episode: 7 }), '--episode: got no dataset to look for it in'],
    ['goals beside it', () => ({ set: ['goals={}'] }), 'imitation: expected no settings of goals beside it, got both'],
    [
      'nothing that looks',
      () => ({ set: ['representation={"kind":"state"}'] }),
      'imitation: expected representation.kind encoder',
    ],
    [
      'an encoder that changes',
      () => ({
        set: ['representation.encoder=tcn', 'representation.config={}', 'representation.refresh.everySteps=10'],
      }),
      'what was paid is stored, got 10',
    ],
    [
      'a scene without cameras',
      () => ({ env: 'armature/Pendulum-v1' }),
      'representation.camera: expected an env with cameras (armature/Pendulum-v1 has none), got front',
    ],
  ])('%s', async (_what, options, message) => {
    const { set = [], ...more } = options() as TrainRunOptions
    const given = { episode: 'demo' in more ? 0 : undefined, ...more } as TrainRunOptions
    const attempt = trained('refused', [...set], given)
    await expect(attempt).rejects.toThrow(message)
    await expect(attempt).rejects.toMatchObject({ name: 'ArmatureError' })
    expect(() => readFileSync(join(folder, 'refused', 'config.json'))).toThrow('ENOENT')
  })

  test('by presets that follow none, and in a run that goes on', async () => {
    await expect(trainRun('sac', { demo: one, out: join(folder, 'refused') })).rejects.toThrow(
      '--demo: expected a preset that follows a demonstration, e.g. tcn-imitate, got sac',
    )
    await expect(
      trainRun('rig-push', { set: ['representation.sees=state'], out: join(folder, 'refused') }),
    ).rejects.toThrow('representation.sees: expected latents, where no demonstration pays, got state')
  })
})
