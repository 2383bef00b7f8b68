import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { parseConfig } from '../config/overrides.ts'
import type { Agent, AgentSpec } from '../core/agent.ts'
import type { Encoder } from '../core/encoder.ts'
import { lookUp } from '../core/registry.ts'
import type { Rng } from '../core/rng.ts'

/**
 * A registered agent with its weights drawn from `rng`.
 * @param config what differs from its defaults.
 * @throws ArmatureError `not-found` for an unknown name, `bad-config` for settings that it does not take.
 */
export function makeAgent(name: string, spec: Omit<AgentSpec, 'name'>, rng: Rng, config: object = {}): Agent {
  const definition = lookUp('agent', agents, name)
  return definition.create(spec, parseConfig(definition.configSchema, config, `config of agent ${name}`), rng)
}

/**
 * A registered encoder of frames [height, width, channels] with its weights drawn from `rng`.
 * @param config what differs from its defaults.
 * @throws ArmatureError `not-found` for an unknown name, `bad-config` for settings that it does not take.
 */
export function makeEncoder(
  name: string,
  frameShape: readonly [height: number, width: number, channels: number],
  rng: Rng,
  config: object = {},
): Encoder {
  const definition = lookUp('encoder', encoders, name)
  return definition.create(frameShape, parseConfig(definition.configSchema, config, `config of encoder ${name}`), rng)
}
