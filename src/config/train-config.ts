import { z } from 'zod'
import { MAX_ENVS, MAX_SEED } from './limits.ts'
import { imitationSchema } from './imitation-config.ts'

/** More than any run takes: what is larger is a slip of the hand. */
const MAX_COUNT = 1e9
/** Rows of a batch. */
const MAX_BATCH = 65_536

const count = (what: string, max = MAX_COUNT) => z.int().min(1).max(max).describe(what)
const share = (what: string) => z.number().min(0).max(1).describe(what)

/** Pixels of a side. */
const MAX_SIDE = 16_384
const pixel = (min: number) => z.int().min(min).max(MAX_SIDE)
const frameShape = z.tuple([pixel(1), pixel(1), pixel(1)])

/** Behaviours whose episodes are of their class whatever comes of them. */
const COLLECTING = ['random', 'scripted', 'noisy', 'slow'] as const

/** A registered part with settings of its own. */
const named = (what: string, fallback: string, kind: string) =>
  z
    .strictObject({
      name: z.string().default(fallback).describe(`registered ${kind}, see "armature list"`),
      config: z.record(z.string(), z.unknown()).default({}).describe('its own settings'),
    })
    .prefault({})
    .describe(what)

const encoderRepresentation = z.strictObject({
  kind: z.literal('encoder'),
  encoder: z.string().describe('registered encoder, see "armature list"'),
  config: z.record(z.string(), z.unknown()).default({}).describe("the encoder's own settings"),
  camera: z.string().default('front').describe('camera whose frames are encoded'),
  goalCamera: z
    .string()
    .optional()
    .describe(
      'camera that shows goals and what was reached, for an encoder that gives goals a tower of their own; absent: camera',
    ),
  places: z
    .boolean()
    .default(false)
    .describe('see features by place instead of the latent: for the form of goals "heat"'),
  from: z
    .string()
    .optional()
    .describe(
      'encoder run, made by "armature pretrain": its encoder, settings, camera and fit instead of pretraining one here',
    ),
  fit: z
    .strictObject({
      from: frameShape.describe('height, width, channels of the frames of the camera'),
      crop: z
        .tuple([pixel(0), pixel(0), pixel(1), pixel(1)])
        .optional()
        .describe('[top, left, height, width] in their pixels: what is cut out of them; absent: nothing'),
      to: frameShape.describe('height, width, channels that they are averaged to: what the encoder sees'),
    })
    .optional()
    .describe('how frames become those of the encoder, taken from the run that `from` names; absent: as they are'),
  sees: z
    .enum(['latents', 'state', 'proprio'])
    .default('latents')
    .describe(
      'what the agent sees: the latents, or where a demonstration pays the privileged state, or what the robot measures of itself; latents then serve the reward alone',
    ),
  latentScale: z
    .number()
    .gt(0)
    .default(1)
    .describe('factor on the latents, so that distances of encoders with other units are of order one too'),
  pretrain: z
    .strictObject({
      frames: count('frames collected').default(8000),
      policy: z
        .partialRecord(z.enum(COLLECTING), z.number().min(0))
        .refine((shares) => Object.values(shares).some((part) => part > 0), 'a share above 0')
        .default({ random: 1 })
        .describe("what acts in the episodes, with its share of them; all but random need the scene's expert"),
      envOptions: z
        .record(z.string(), z.unknown())
        .optional()
        .describe('options of the scene that they are collected in; absent: those of env.options'),
      holdActions: count('control steps for which each action is held: random play that holds them gets about').default(
        1,
      ),
      resetEvery: count('observations of an episode, each from a random state').default(20),
      start: z.string().default('goal').describe('state that the env is reset to for it: its reset option `start`'),
      priorFrames: z
        .enum(['starts', 'all'])
        .default('starts')
        .describe('frames that the prior is fitted to: those right after a reset, or those of the play after it too'),
      extraStarts: z
        .int()
        .min(0)
        .max(MAX_COUNT)
        .default(0)
        .describe('further resets, without play, whose frames the prior is fitted to as well'),
      goalFrames: z
        .int()
        .min(0)
        .max(MAX_COUNT)
        .default(0)
        .describe('further frames to learn from, of goals that the env draws, as they look in an episode'),
      updates: z.int().min(0).max(MAX_COUNT).default(6000).describe('gradient steps'),
      batchSize: count('rows of a batch', MAX_BATCH).default(64),
      batch: z
        .record(z.string(), z.unknown())
        .default({})
        .describe('further options of the sampler of batches, beside those that the encoder states'),
      validationFraction: z
        .number()
        .gt(0)
        .lt(0.5)
        .default(0.1)
        .describe('share of the frames that is held out, in whole episodes'),
    })
    .refine(
      ({ frames, validationFraction, resetEvery }) => frames * validationFraction >= 2 * resetEvery,
      'held-out frames (frames * validationFraction) for at least 2 resets (2 * resetEvery)',
    )
    .prefault({}),
  refresh: z
    .strictObject({
      everySteps: z
        .int()
        .min(0)
        .default(0)
        .describe('env steps between refreshes on replay frames; 0: the encoder stays as pretrained'),
      updates: z.int().min(0).max(MAX_COUNT).default(200).describe('gradient steps per refresh'),
    })
    .prefault({}),
})

const stateRepresentation = z.strictObject({
  kind: z
    .literal('state')
    .describe('the oracle: privileged goal coordinates, or without settings of goals the whole privileged state'),
  scalePerM: z.number().gt(0).default(10).describe('with goals: features per metre, so that they are of order one'),
})

/** Of a network that an agent sees through. */
const learnedNetwork = {
  encoder: z
    .string()
    .default('trunk')
    .describe('registered encoder whose network it is; one that learns has its own loss besides the critics'),
  config: z.record(z.string(), z.unknown()).default({}).describe("the encoder's own settings"),
}

const ownUpdates = z
  .int()
  .min(0)
  .max(MAX_COUNT)
  .default(1)
  .describe("gradient steps on the encoder's own loss after each block of the agent's updates")

const pixelRepresentation = z.strictObject({
  kind: z.literal('pixels').describe('frames, through a network that learns along with the agent'),
  ...learnedNetwork,
  camera: z.string().default('front').describe('camera whose frames are seen'),
  stack: z.int().min(1).max(8).default(3).describe('frames seen at once, so that motion is seen'),
  proprio: z.boolean().default(false).describe('see what the robot measures of itself as well'),
  maxShiftPixels: z
    .int()
    .min(0)
    .max(64)
    .default(3)
    .describe('random shift of frames before the agent learns from them, each way; 0: none'),
  batch: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("further options of the sampler of the encoder's own batches, beside those that the encoder states"),
  ownUpdates,
})

const vectorRepresentation = z.strictObject({
  kind: z.literal('vectors').describe('vectors, through a network that learns along with the agent'),
  ...learnedNetwork,
  sees: z
    .enum(['state', 'proprio'])
    .default('state')
    .describe('what they are: the whole privileged state, or what the robot measures of itself'),
  ownUpdates,
})

const proprioRepresentation = z.strictObject({ kind: z.literal('proprio') })

const goals = z
  .strictObject({
    source: named('where goals come from', 'prior', 'source of goals'),
    form: named('how a goal is put before the agent', 'difference', 'form of goals'),
    reward: named('what reaching a point pays', 'latent-distance', 'reward'),
    relabel: z
      .strictObject({
        kept: share('goals as collected').default(0.2),
        source: share('goals fresh from the source').default(0.5),
        future: share('goals achieved later in the episode').default(0.3),
        futureSteps: z
          .enum(['uniform', 'geometric'])
          .optional()
          .describe(
            'how much later: any time as likely, or k steps with a chance that falls like replay.gamma^k; absent: uniform',
          ),
        posthoc: share('what the step itself achieved; absent: 0').optional(),
        auxiliary: share('what any step in replay achieved; absent: 0').optional(),
      })
      .refine(
        ({ kept, source, future, posthoc = 0, auxiliary = 0 }) =>
          Math.abs(kept + source + future + posthoc + auxiliary - 1) < 1e-6,
        'shares that add up to 1',
      )
      .prefault({})
      .describe('shares of goals in a batch'),
  })
  .describe('goal-conditioned learning with relabelled goals; absent: the env pays')

/** Everything that decides a training run, resolved: what `config.json` of a run folder holds. */
export const trainConfigSchema = z.strictObject({
  preset: z.string().describe('name of the preset that this started from'),
  seed: z.int().min(0).max(MAX_SEED).default(0).describe('master seed of all random streams'),
  env: z.strictObject({
    id: z.string().describe('registered env, see "armature list"'),
    options: z.record(z.string(), z.unknown()).default({}),
    evalOptions: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('options that differ where the run is evaluated, e.g. backgrounds that it has not seen'),
    robot: z
      .string()
      .regex(/^(tcp|ipc):\/\//, 'an address such as tcp://127.0.0.1:5600')
      .optional()
      .describe('address of a robot that stands for the env; absent: the env in this process'),
  }),
  representation: z.discriminatedUnion('kind', [
    encoderRepresentation,
    pixelRepresentation,
    vectorRepresentation,
    stateRepresentation,
    proprioRepresentation,
  ]),
  goals: goals.optional(),
  imitation: imitationSchema.optional(),
  agent: z.strictObject({
    name: z.string().describe('registered agent, see "armature list"'),
    config: z.record(z.string(), z.unknown()).default({}).describe("the agent's own settings"),
  }),
  replay: z
    .strictObject({
      capacity: count('observations kept').default(200_000),
      nStep: z.int().min(1).max(20).default(1).describe('rewards summed before the bootstrap'),
      gamma: z.number().gt(0).lt(1).default(0.99).describe('discount per control step'),
    })
    .prefault({}),
  training: z
    .strictObject({
      steps: count('env steps'),
      envs: count('envs that are stepped at the same time; steps count in all of them', MAX_ENVS).default(1),
      learningStarts: count('env steps of random play before the first update').default(1000),
      batchSize: count('transitions per update', MAX_BATCH).default(256),
      updateEvery: count('env steps between update blocks').default(1),
      updates: count('updates per block').default(1),
      logEvery: count('env steps between rows of metrics').default(1000),
      evalEvery: count('env steps between evaluations').default(5000),
      evalEpisodes: count('episodes per evaluation, the same seeds every time').default(20),
      finalEpisodes: count('episodes of the final evaluation').default(100),
      checkpointEvery: count('env steps between checkpoints').default(10_000),
    })
    .refine(({ steps, envs }) => steps % envs === 0, 'steps that the envs share evenly (steps a multiple of envs)'),
})

export type TrainConfig = z.infer<typeof trainConfigSchema>
export type EncoderRepresentationConfig = z.infer<typeof encoderRepresentation>
export type PixelRepresentationConfig = z.infer<typeof pixelRepresentation>
export type VectorRepresentationConfig = z.infer<typeof vectorRepresentation>

/** A partial config as a preset writes it. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>
