import type { Agent } from '../core/agent.ts'
import { ArmatureError } from '../core/errors.ts'
import { Rng } from '../core/rng.ts'
import { writeFileAtomic } from '../io/atomic.ts'
import { readSafetensors, safetensorsChunks } from '../io/safetensors.ts'
import { makeAgent, settingsOf } from './make.ts'

const FORMAT = 'armature-agent-1'

/**
 * Writes an agent with its optimisers and random stream into one safetensors file, so that it can act and learn on elsewhere.
 *
 * @throws ArmatureError `unwritable`; `bad-argument` for an agent that {@link makeAgent} did not make, and for one that sees through a network.
 */
export async function saveAgent(agent: Agent, path: string): Promise<void> {
  const { name, observationSize, actionSize, goalSize, frameShape, hasVectorNetwork } = agent.spec
  if (frameShape !== undefined || hasVectorNetwork === true) {
    throw new ArmatureError('bad-argument', `agent ${name}`, {
      got: 'one that sees through a network of an encoder',
      fix: 'keep the run folder, which holds both',
    })
  }
  const description = { name, observationSize, actionSize, goalSize, config: settingsOf(agent) }
  const chunks = safetensorsChunks(agent.save(), { format: FORMAT, agent: JSON.stringify(description) })
  await writeFileAtomic(path, chunks)
}

/**
 * The agent that {@link saveAgent} wrote. The engine must run.
 *
 * @example
 * await startEngine()
 * const agent = await loadAgent('my-agent.safetensors')
 * const policy = agentPolicy({ env, representation: proprioRepresentation(env), agent })
 *
 * @throws ArmatureError `not-found`, `corrupt-file`; `bad-argument` for another kind of file.
 */
export async function loadAgent(path: string): Promise<Agent> {
  const { arrays, metadata } = await readSafetensors(path)
  if (metadata['format'] !== FORMAT || metadata['agent'] === undefined) {
    throw new ArmatureError('bad-argument', `${path} holds no agent`, {
      expected: 'a file of saveAgent',
      got: metadata['format'] === undefined ? 'other arrays' : `format ${metadata['format']}`,
    })
  }
  const { name, config, ...spec } = JSON.parse(metadata['agent']) as {
    readonly name: string
    readonly observationSize: number
    readonly actionSize: number
    readonly goalSize?: number
    readonly config: object
  }
  const agent = makeAgent(name, spec, new Rng(0), config)
  agent.restore(arrays)
  return agent
}
