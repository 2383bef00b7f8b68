import { z } from 'zod'
import type { Agent, AgentSpec } from '../src/core/agent.ts'
import { PLAIN_NAME, register } from '../src/core/registry.ts'
import type { Rng } from '../src/core/rng.ts'
import type { FeatureNetwork } from '../src/tensor/features.ts'
import type { CrlConfig } from './crl/config.ts'
import { crlConfigSchema } from './crl/config.ts'
import { Crl } from './crl/crl.ts'
import { AimAgent } from './aim/aim.ts'
import type { AimConfig } from './aim/config.ts'
import { aimConfigSchema } from './aim/config.ts'
import { RandomAgent } from './random/random.ts'
import type { SacConfig } from './sac/config.ts'
import { sacConfigSchema } from './sac/config.ts'
import { Sac } from './sac/sac.ts'

/** How the catalogue makes an agent. `config` has gone through `configSchema`; `rng` is the agent's own. */
export interface AgentEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  /** True where the goal of each row of its batches must have been reached from there, after a geometric number of steps. */
  readonly needsReachedGoals?: boolean
  /** `features`: what it looks at frames through, where it is to look at any. */
  create(spec: Omit<AgentSpec, 'name' | 'frameShape'>, config: unknown, rng: Rng, features?: FeatureNetwork): Agent
}

const catalogue: Record<string, AgentEntry> = {
  sac: {
    summary: 'soft actor-critic with a learned entropy weight',
    configSchema: sacConfigSchema,
    create: (spec, config, rng, features) => new Sac(spec, config as SacConfig, rng, features),
  },
  crl: {
    summary: 'contrastive RL: no reward, the critic tells which goals were reached from where',
    configSchema: crlConfigSchema,
    needsReachedGoals: true,
    create: (spec, config, rng) => new Crl(spec, config as CrlConfig, rng),
  },
  aim: {
    summary: 'goes where it is shown, and learns nothing: the hottest place of a heat map (Grasp2Vec)',
    configSchema: aimConfigSchema,
    create: (spec, config, rng) => new AimAgent(spec, config as AimConfig, rng),
  },
  random: {
    summary: 'uniform actions: the lower line of a plot',
    configSchema: z.strictObject({}),
    create: (spec, _config, rng) => new RandomAgent(spec, rng),
  },
}

/** The catalogue of agents: a new one is a folder here and a line above. */
export const agents: Readonly<Record<string, AgentEntry>> = catalogue

/**
 * Makes an agent of your own known by its name, to everything that takes one.
 * @throws ArmatureError `bad-argument` for a name that is none or is taken.
 */
export function registerAgent(name: string, entry: AgentEntry): void {
  register('agent', catalogue, PLAIN_NAME, name, entry, { configSchema: 'object', create: 'function' })
}
