import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { parseConfig } from '../config/overrides.ts'
import { requireWhole } from '../core/checks.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Agent, AgentSpec } from '../core/agent.ts'
import type { InputShape } from '../core/encoder-input.ts'
import { isStackShape, isVectorShape } from '../core/encoder-input.ts'
import type { Encoder } from '../core/encoder.ts'
import { lookUp } from '../core/registry.ts'
import type { Rng } from '../core/rng.ts'
import type { FeatureNetwork } from '../tensor/features.ts'

/**
 * A registered agent with its weights drawn from `rng`.
 * @param config what differs from its defaults.
 * @param features what it looks at frames through, where it is to look at any.
 * @throws ArmatureError `not-found` for an unknown name, `bad-config` for settings that it does not take.
 */
export function makeAgent(
  name: string,
  spec: Omit<AgentSpec, 'name' | 'frameShape'>,
  rng: Rng,
  config: object = {},
  features?: FeatureNetwork,
): Agent {
  const definition = lookUp('agent', agents, name)
  requireWhole('observationSize of an agent', spec.observationSize, features === undefined ? 1 : 0)
  requireWhole('actionSize of an agent', spec.actionSize, 1)
  const settings = parseConfig(definition.configSchema, config, `config of agent ${name}`)
  const agent = definition.create(spec, settings, rng, features)
  settingsByAgent.set(agent, settings as object)
  return agent
}

/** What each agent was made with: needed to make it again from a file. */
const settingsByAgent = new WeakMap<Agent, object>()

/** The settings of an agent, defaults included. @throws ArmatureError `bad-argument` for one that {@link makeAgent} did not make. */
export function settingsOf(agent: Agent): object {
  const settings = settingsByAgent.get(agent)
  if (settings !== undefined) return settings
  throw new ArmatureError('bad-argument', `agent ${agent.spec.name}`, {
    expected: 'one that makeAgent made, whose settings are known',
    fix: 'write what its save() gives with a format of your own',
  })
}

/**
 * A registered encoder of frames [height, width, channels], or of vectors [size], with its weights drawn from `rng`.
 * @param config what differs from its defaults.
 * @param actionSize length of the actions in its batches; only methods that learn from steps need it.
 * @throws ArmatureError `not-found` for an unknown name, `bad-config` for settings that it does not take, and for vectors, or frames seen at
 *   once, of one that does not look at such.
 */
export function makeEncoder(name: string, shape: InputShape, rng: Rng, config: object = {}, actionSize = 0): Encoder {
  const definition = lookUp('encoder', encoders, name)
  const settings = parseConfig(definition.configSchema, config, `config of encoder ${name}`)
  if (isVectorShape(shape)) {
    if (definition.createForVectors === undefined) throw refusal('createForVectors', 'vectors', 'frames alone')
    return definition.createForVectors(shape[0], settings, rng, actionSize)
  }
  if (!isStackShape(shape)) return definition.create(shape, settings, rng, actionSize)
  if (definition.createForStack === undefined) throw refusal('createForStack', 'several frames at once', 'one')
  return definition.createForStack(shape, settings, rng, actionSize)

  function refusal(make: 'createForVectors' | 'createForStack', expected: string, got: string): ArmatureError {
    const others = Object.keys(encoders).filter((other) => encoders[other]![make] !== undefined)
    return new ArmatureError('bad-config', `encoder ${name}`, {
      expected: `one that looks at ${expected}`,
      got: `one of ${got}`,
      fix: `choose ${others.join(', ')}${make === 'createForStack' ? ', or set representation.stack=1' : ''}`,
    })
  }
}
