import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, test } from 'vitest'
import { envRobot } from '../../bridges/adapters/env-robot.ts'
import { connectRemoteEnv } from '../../bridges/client/remote-env.ts'
import { RobotServer } from '../../bridges/server/robot-server.ts'
import { makeEnv } from '../../envs/index.ts'
import { resolveConfig } from '../../src/compose/config.ts'
import type { Parts } from '../../src/compose/parts.ts'
import { showDemonstration } from '../../src/compose/imitation.ts'
import { buildParts } from '../../src/compose/parts.ts'
import { policyGraph } from '../../src/compose/policy-graph.ts'
import type { Observation } from '../../src/core/env.ts'
import type { GoalView, Policy } from '../../src/core/policy.ts'
import { evaluatePolicy } from '../../src/evaluate/policy.ts'
import { agentPolicy } from '../../src/run/policies.ts'
import { exportOnnx } from '../../src/tensor/compile/program.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { clock } from '../bridges/simple-robot.ts'
import { PATIENCE_MS } from '../bridges/helpers.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

/** Episodes of one grasp are short already, and what only aims has no networks. */
const small = (preset: string): string[] =>
  preset === 'grasp2vec-bin' ? [] : ['agent.config.hidden=[8]', 'env.options.maxEpisodeSteps=5']
const EPISODES = { episodes: 2, firstSeed: 3 }
const ENV_GOALS = 'goals.source.name=env'

/** Every kind of policy: what it sees, how goals reach it, and who acts. */
const EXPORTED: readonly (readonly [kind: string, preset: string, ...set: string[]])[] = [
  ['single frames and the way to a goal', 'rig-push'],
  ['contrastive RL on latents', 'crl-rig-push'],
  ['frames in the light of their episode', 'rig-push', 'representation.encoder=cc-vae'],
  ['windows', 'rig-push', 'representation.encoder=mftcn', 'env.options.cameras=["front","side"]', ENV_GOALS],
  [
    'goals with a tower of their own',
    'rig-push',
    'representation.encoder=grasp2vec',
    'representation.config={"width":4,"outcomeCamera":"front"}',
    'goals.form.name=goal',
    'goals.reward.name=cosine',
    ENV_GOALS,
  ],
  ['the place in a frame that is most like the goal', 'grasp2vec-bin'],
  ['latents, and a demonstration by time', 'tcn-imitate', 'representation.sees=latents'],
  [
    'latents, and the nearest moment of a demonstration',
    'tcn-imitate',
    'representation.sees=latents',
    'imitation.alignment=nearest',
  ],
  ['proprioception, and a demonstration', 'tcn-imitate', 'representation.sees=proprio', 'imitation.alignment=nearest'],
  ['stacks of frames', 'pixels'],
  ['stacks of frames and proprioception', 'pixels', 'representation.proprio=true'],
  ['stacks of frames, with a reconstruction', 'sac-ae'],
  ['stacks of frames, with models', 'deepmdp'],
  ['stacks of frames, without self-prediction', 'drq'],
  ['stacks of frames, with bisimulation', 'dbc'],
  ['stacks of frames, contrastive', 'curl'],
  ['proprioception', 'sac-pendulum'],
  ['proprioception through a network', 'vectors', 'representation.sees=proprio', 'representation.encoder=dbc'],
]
/** These see what no camera does. */
const PRIVILEGED: typeof EXPORTED = [
  ['states and goals as states', 'oracle-push'],
  ['contrastive RL on states', 'crl-push'],
  ['states and a demonstration', 'tcn-imitate'],
  ['states through a network', 'vectors'],
]

/** What a robot without Armature would keep of an episode, to feed the graph with. */
class Feeder {
  readonly #parts: Parts
  readonly #frames: Uint8Array[] = []
  #goal: GoalView | undefined
  #moment: Float32Array | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  begin(goal: GoalView | undefined): void {
    this.#frames.length = 0
    this.#moment = undefined
    this.#goal = goal && { images: structuredClone(goal.images), state: goal.state.slice() }
  }

  feeds({ images, proprio }: Observation, inputs: ReturnType<typeof policyGraph>['inputs']): Record<string, Tensor> {
    const { representation } = this.#parts.config
    const camera = 'camera' in representation ? representation.camera : undefined
    const goalCamera = 'goalCamera' in representation ? (representation.goalCamera ?? camera) : camera
    if (camera !== undefined) this.#frames.push(images[camera]!.slice())
    const value = (name: string): Uint8Array | Float32Array => {
      if (name === 'proprio') return Float32Array.from(proprio)
      if (name === 'start') return this.#frames[0]!
      if (name === 'moment') return this.#moment ?? Float32Array.of(-1)
      return name === 'goal' ? this.#goal!.images[goalCamera!]! : this.#window(inputs['frame']!.shape)
    }
    const fed = Object.entries(inputs).map(
      ([name, { dtype, shape }]) => [name, new Tensor(dtype, value(name) as Uint8Array, shape)] as const,
    )
    return Object.fromEntries(fed)
  }

  /** What the graph is fed as `moment` at the next observation. */
  follow(moment: Float32Array | undefined): void {
    this.#moment = moment
  }

  /** As `policy.json` says: the newest last, the first of the episode for those before it. */
  #window(shape: readonly number[]): Uint8Array {
    const { config, encoder } = this.#parts
    const count = shape.length === 5 ? shape[1]! : 1
    const stride = config.representation.kind === 'encoder' ? encoder!.spec.window.stride : 1
    const last = this.#frames.length - 1
    const at = Array.from({ length: count }, (_, i) => Math.max(0, last - (count - 1 - i) * stride))
    return new Uint8Array(Buffer.concat(at.map((i) => this.#frames[i]!)))
  }
}

async function built(preset: string, set: readonly string[]): Promise<Parts> {
  const parts = await buildParts(resolveConfig(preset, { set: [...small(preset), ...set] }))
  await showDemonstration(parts)
  return parts
}

describe('the exported graph, fed raw, acts as evaluation does', () => {
  test.each(EXPORTED)('%s', async (_kind, preset, ...set) => {
    const parts = await built(preset, set)
    const { inputs, action, moment } = policyGraph(parts)
    const graph = exportOnnx('policy', (x) => ({ action: action(x), ...(moment && { next: moment.next(x) }) }), inputs)
    const session = await InferenceSession.create(graph)
    const feeder = new Feeder(parts)
    const policy = agentPolicy(parts)
    const errors: number[] = []
    const both: Policy = {
      name: 'both',
      begin: async (goal) => {
        feeder.begin(goal)
        await policy.begin(goal)
      },
      act: async (observation) => {
        const exported = await session.run(feeder.feeds(observation, inputs))
        const acted = await policy.act(observation)
        feeder.follow(exported['next']?.data as Float32Array | undefined)
        const { data } = exported['action']!
        errors.push(...acted.map((a, i) => Math.abs(a - Number(data[i]))))
        return acted
      },
    }
    await evaluatePolicy(parts.env, both, EPISODES)
    expect(errors.length).toBeGreaterThan(4)
    expect(Math.max(...errors)).toBeLessThan(1e-5)
    await session.release()
    await parts.env.close()
  })

  test.each(PRIVILEGED)('but not that of %s', async (_kind, preset) => {
    const parts = await built(preset, [])
    expect(() => policyGraph(parts)).toThrow('a policy that sees privileged state')
    await parts.env.close()
  })
})

describe('driving across the bridge in lock-step is evaluation, to the last digit', () => {
  test.each([...EXPORTED, ...PRIVILEGED])('%s', async (_kind, preset, ...set) => {
    const parts = await built(preset, set)
    const here = await evaluatePolicy(parts.env, agentPolicy(parts), EPISODES)
    const { id, options } = parts.config.env
    const server = new RobotServer({ robot: envRobot(await makeEnv(id, options)), clock, mode: 'lockstep' })
    await server.start()
    const robot = await connectRemoteEnv({ endpoint: server.endpoints.control, clock, timeoutMs: PATIENCE_MS })
    expect(await evaluatePolicy(robot, agentPolicy({ ...parts, env: robot }), EPISODES)).toEqual(here)
    await robot.close()
    await server.close()
    await parts.env.close()
  })
})
