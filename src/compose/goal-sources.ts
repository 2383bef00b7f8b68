import { z } from 'zod'
import type { Encoder } from '../core/encoder.ts'
import type { Env, GoalEnv } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalSource } from '../core/goals.ts'
import { Rng } from '../core/rng.ts'
import type { Representation } from '../run/representation.ts'
import { goalFrameOf, recordedFeatures } from '../run/representation.ts'
import { PLAIN_NAME, register } from '../core/registry.ts'
import type { DemonstrationConfig } from './demonstration.ts'
import { demonstrationSettings, findDemonstration } from './demonstration.ts'

/** What a source of goals may be made from. */
export interface GoalSourceParts {
  readonly env: Env
  readonly encoder: Encoder | undefined
  readonly representation: Representation
}

/** How the catalogue makes a source of goals. `config` has gone through `configSchema`. */
export interface GoalSourceEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  /**
   * Asked before anything long starts.
   * @param withFrames whether each goal needs its picture
   * @throws ArmatureError `bad-config` for parts that it cannot draw goals from
   */
  check(parts: GoalSourceParts, withFrames: boolean): void
  /**
   * Made once the encoder has learned: only then do goals mean anything.
   * @param withFrames whether each goal needs its picture; `seed` is that of a bank of goals made in advance
   */
  create(parts: GoalSourceParts, config: unknown, withFrames: boolean, seed: number): Promise<GoalSource>
}

const bankSchema = z.strictObject({
  bankSize: z
    .int()
    .min(1)
    .default(1000)
    .describe('goals made in advance where each takes long, so many that a batch hardly repeats one'),
})
type BankConfig = z.output<typeof bankSchema>

const envSchema = bankSchema.extend({
  ofEpisode: z
    .boolean()
    .default(false)
    .describe(
      'go for the goal that the env drew at the reset, which may depend on what is there; the bank is for relabelling',
    ),
})
type EnvSourceConfig = z.output<typeof envSchema>

const catalogue: Record<string, GoalSourceEntry> = {
  prior: {
    summary: "imagined: draws from the encoder's prior (RIG)",
    configSchema: bankSchema,
    check({ encoder }, withFrames) {
      if (encoder === undefined) {
        throw new ArmatureError('bad-config', 'goals.source prior', {
          expected: 'an encoder',
          fix: 'set goals.source.name=env',
        })
      }
      if (encoder.imagine === undefined) throw withoutPrior(encoder)
      if (!withFrames || !encoder.spec.takesContext) return
      throw new ArmatureError('bad-config', 'goals.source prior', {
        expected: 'a reward of features, and no refresh: pictures of goals cannot be made in advance',
        got: `encoder ${encoder.spec.name}, whose goals depend on how their episode starts`,
        fix: 'set goals.reward.name=latent-distance and representation.refresh.everySteps=0',
      })
    },
    create: async ({ encoder }, config, withFrames, seed) =>
      withFrames ? priorGoalsWithFrames(encoder!, (config as BankConfig).bankSize, seed) : priorGoals(encoder!),
  },
  env: {
    summary: 'the own goals of the env, as states or as pictures',
    configSchema: envSchema,
    check({ env, representation }) {
      goalEnv(env)
      if (!representation.takesContext) return
      throw new ArmatureError('bad-config', 'goals.source env', {
        got: `encoder ${representation.name}, which sees a goal in the light of its episode's first frame`,
        fix: 'set goals.source.name=prior',
      })
    },
    create: async ({ env, encoder, representation }, config, _withFrames, seed) => {
      const { bankSize, ofEpisode } = config as EnvSourceConfig
      if (encoder === undefined) return stateGoals(goalEnv(env), representation)
      const bank = await goalBank(goalEnv(env), representation, bankSize, seed)
      return ofEpisode ? { ...bank, ofEpisode: goalOfEpisode(representation) } : bank
    },
  },
  demonstration: {
    summary: 'how a recorded episode ended: the same for all (TCN, with the reward "tracking")',
    configSchema: z.strictObject(demonstrationSettings),
    check() {},
    create: ({ representation }, config) => demonstratedGoal(representation, config as DemonstrationConfig),
  },
}

/** Where goals can come from: a new source is a line above. */
export const goalSources: Readonly<Record<string, GoalSourceEntry>> = catalogue

/** Makes one of your own known by its name. @throws ArmatureError `bad-argument` for a name that is none or is taken. */
export function registerGoalSource(name: string, entry: GoalSourceEntry): void {
  register('source of goals', catalogue, PLAIN_NAME, name, entry, {
    configSchema: 'object',
    check: 'function',
    create: 'function',
  })
}

/** @throws ArmatureError `bad-config` for an env without goals. */
export function goalEnv(env: Env): GoalEnv {
  if (isGoalEnv(env)) return env
  throw new ArmatureError('bad-config', `env ${env.spec.id}`, {
    expected: 'an env with goals',
    fix: 'see "armature list"',
  })
}

/** Imagined goals: draws from the encoder's prior (RIG, Nair et al. 2018, section 4.2). */
export function priorGoals(encoder: Encoder): GoalSource {
  return { name: 'prior', sample: (rng, start) => ({ features: imagine(encoder, rng, start?.features) }) }
}

/** The same with the decoded image beside each goal, from a bank of `size` goals drawn from the stream `seed`. */
export async function priorGoalsWithFrames(encoder: Encoder, size: number, seed: number): Promise<GoalSource> {
  return bankOf('prior', async () => {
    if (encoder.decode === undefined) throw withoutPrior(encoder)
    const { latentSize } = encoder.spec
    const latents = imaginedLatents(encoder, size, new Rng(seed))
    const images = await encoder.decode(latents, size)
    const frameSize = images.length / size
    return Array.from({ length: size }, (_, i) => ({
      features: latents.subarray(i * latentSize, (i + 1) * latentSize),
      frame: images.subarray(i * frameSize, (i + 1) * frameSize),
    }))
  })
}

/** Draws [count, latentSize] from the encoder's prior. */
export function imaginedLatents(encoder: Encoder, count: number, rng: Rng): Float32Array {
  const latents = new Float32Array(count * encoder.spec.latentSize)
  for (let i = 0; i < count; i++) latents.set(imagine(encoder, rng), i * encoder.spec.latentSize)
  return latents
}

function imagine(encoder: Encoder, rng: Rng, start?: Float32Array): Float32Array {
  if (encoder.imagine === undefined) throw withoutPrior(encoder)
  return encoder.imagine(rng, start)
}

function withoutPrior({ spec }: Encoder): ArmatureError {
  return new ArmatureError('bad-config', `encoder ${spec.name}`, {
    got: 'no prior to imagine goals from',
    fix: 'set goals.source.name=env',
  })
}

/** The env's own goals by their state, for representations that are functions of the state. */
export function stateGoals(env: GoalEnv, representation: Representation): GoalSource {
  return { name: 'env', sample: (rng) => ({ features: representation.fromState!(env.sampleGoal(rng)) }) }
}

/** The env's own goals as images, encoded: a bank of `size` goals drawn from the stream `seed`. */
export async function goalBank(
  env: GoalEnv,
  representation: Representation,
  size: number,
  seed: number,
): Promise<GoalSource> {
  return bankOf('env', async () => {
    const rng = new Rng(seed)
    const goals: Goal[] = []
    for (let i = 0; i < size; i++) {
      const state = env.sampleGoal(rng)
      const images = await env.renderGoal(state)
      const features = await representation.begin().goal({ images, state })
      goals.push({ features, frame: Uint8Array.from(goalFrameOf(representation, { images })!) })
    }
    return goals
  })
}

/** The goal that an env has drawn, as `representation` sees its picture. */
function goalOfEpisode(representation: Representation): NonNullable<GoalSource['ofEpisode']> {
  return async (env, encode) => {
    const view = { images: await goalEnv(env).renderGoal(goalEnv(env).goal), state: goalEnv(env).goal }
    const frame = goalFrameOf(representation, view)
    return { features: await encode(view), ...(frame && { frame: Uint8Array.from(frame) }) }
  }
}

/** The end of a recorded episode. @throws ArmatureError as {@link findDemonstration} and {@link recordedFeatures}. */
async function demonstratedGoal(representation: Representation, config: DemonstrationConfig): Promise<GoalSource> {
  return bankOf('demonstration', async () => {
    const { dataset, index } = await findDemonstration(config)
    const episode = await dataset.readEpisode(index)
    const features = (await recordedFeatures(representation, episode, dataset)).slice(-representation.size)
    const last = Object.entries(episode.images).map(([camera, frames]) => {
      return [camera, frames.slice(-frames.length / episode.info.length)] as const
    })
    const recorded = representation.ofDataset?.(dataset) ?? representation
    const frame = goalFrameOf(recorded, { images: Object.fromEntries(last) })
    return [{ features, ...(frame && { frame }) }]
  })
}

async function bankOf(name: string, make: () => Promise<readonly Goal[]>): Promise<GoalSource> {
  let goals = await make()
  return {
    name,
    sample: (rng) => goals[rng.int(goals.length)]!,
    refresh: async () => {
      goals = await make()
    },
  }
}
