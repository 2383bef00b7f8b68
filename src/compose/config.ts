import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { envs } from '../../envs/index.ts'
import { parse as parsePath } from 'node:path'
import type { z } from 'zod'
import { applyOverrides, parseConfig } from '../config/overrides.ts'
import type { Preset } from '../config/preset.ts'
import { presets } from '../config/presets.ts'
import type { TrainConfig } from '../config/train-config.ts'
import { trainConfigSchema } from '../config/train-config.ts'
import { ArmatureError } from '../core/errors.ts'
import { lookUp } from '../core/registry.ts'
import { goalForms } from './goal-forms.ts'
import { goalRewards } from './goal-rewards.ts'
import { goalSources } from './goal-sources.ts'

export interface ConfigOptions {
  readonly seed?: number
  readonly steps?: number
  /** `--set` assignments, in order. */
  readonly set?: readonly string[]
  /** Envs that are stepped at the same time. */
  readonly envs?: number
  /** Folder of the dataset that holds the demonstration, and its number there: for a preset that follows one. */
  readonly demo?: string
  readonly episode?: number
  /** Instead of the preset's: the id of a scene, or the address of a robot that stands for the preset's. */
  readonly env?: string
}

/**
 * The resolved configuration of `preset` with the command line's changes.
 * @throws ArmatureError `not-found` for an unknown preset, `bad-config` for anything that no schema takes.
 */
export function resolveConfig(preset: string, options: ConfigOptions): TrainConfig {
  const { seed, steps, envs, set = [], env } = options
  const known = lookUp('preset', Object.fromEntries(presets.map((p) => [p.name, p])), preset)
  const config = env === undefined || isAddress(env) ? known.config : inScene(known.config, env)
  if (set.some((assignment) => assignment.startsWith('preset='))) {
    throw new ArmatureError('bad-argument', '--set preset', {
      fix: 'name the preset instead: "armature train <preset>"',
    })
  }
  const assignments = [...set, ...demonstrationOf(config, preset, options)]
  if (seed !== undefined) assignments.push(`seed=${seed}`)
  if (steps !== undefined) assignments.push(`training.steps=${steps}`)
  if (envs !== undefined) assignments.push(`training.envs=${envs}`)
  if (env !== undefined && isAddress(env)) assignments.push(`env.robot=${env}`)
  const input = applyOverrides({ ...config, preset }, assignments)
  return resolveComponents(parseConfig(trainConfigSchema, input, 'config'))
}

/**
 * The same in another scene; options are those of the preset's own, and stay behind. An update costs an agent that learns from pixels as much
 * for a step of 10 ms as for one of 40, in which more happens.
 */
function inScene(config: Preset['config'], id: string): Preset['config'] {
  if (config.env.id === id) return config
  if (config.representation?.kind !== 'pixels') return { ...config, env: { id } }
  const { actionRepeat, nStep = 3 } = envs[id]?.fromPixels ?? {}
  return {
    ...config,
    env: { id, ...(actionRepeat !== undefined && { options: { actionRepeat } }) },
    replay: { ...config.replay, nStep },
  }
}

/** What `--demo` and `--episode` set. */
function demonstrationOf(
  { imitation }: Preset['config'],
  preset: string,
  { demo, episode }: Pick<ConfigOptions, 'demo' | 'episode'>,
): string[] {
  if (demo === undefined && episode === undefined) return []
  const flag = demo === undefined ? '--episode' : '--demo'
  if (imitation === undefined) {
    throw new ArmatureError('bad-argument', flag, {
      expected: 'a preset that follows a demonstration, e.g. tcn-imitate',
      got: preset,
    })
  }
  if (demo === undefined) {
    throw new ArmatureError('bad-argument', flag, {
      got: 'no dataset to look for it in',
      fix: 'name one with --demo DATASET',
    })
  }
  const number = episode === undefined ? [] : [`imitation.demonstration.episode=${episode}`]
  return [`imitation.demonstration.data=${JSON.stringify(demo)}`, ...number]
}

/** Whether `text` is the address of a robot rather than the id of a scene. */
export function isAddress(text: string): boolean {
  return /^(tcp|ipc):\/\//.test(text)
}

/** Where a run goes when nobody says: `runs/<preset>-seed<seed>`. */
export function defaultRunFolder({ preset, seed }: TrainConfig): string {
  return `runs/${parsePath(preset).base}-seed${seed}`
}

/**
 * `config` with the settings of all registered parts that it names filled in.
 * @throws ArmatureError `not-found` for a name that is not registered, `bad-config` for settings that its owner does not take.
 */
export function resolveComponents(config: TrainConfig): TrainConfig {
  const { representation, agent, goals } = config
  return {
    ...config,
    agent: resolved('agent', agents, agent, 'agent.config'),
    ...('encoder' in representation && {
      representation: {
        ...representation,
        config: resolved(
          'encoder',
          encoders,
          { ...representation, name: representation.encoder },
          'representation.config',
        ).config,
      },
    }),
    ...(goals && {
      goals: {
        ...goals,
        source: resolved('source of goals', goalSources, goals.source, 'goals.source.config'),
        form: resolved('form of goals', goalForms, goals.form, 'goals.form.config'),
        reward: resolved('reward', goalRewards, goals.reward, 'goals.reward.config'),
      },
    }),
  }
}

interface NamedPart {
  readonly name: string
  readonly config: Record<string, unknown>
}

function resolved(
  kind: string,
  catalogue: Readonly<Record<string, { readonly configSchema: z.ZodType }>>,
  { name, config }: NamedPart,
  path: string,
): NamedPart {
  const { configSchema } = lookUp(kind, catalogue, name)
  return { name, config: parseConfig(configSchema, config, 'config', path) as Record<string, unknown> }
}
