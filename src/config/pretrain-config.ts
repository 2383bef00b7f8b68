import { z } from 'zod'
import { MAX_SEED } from './limits.ts'

const count = (what: string, max = 1e9) => z.int().min(1).max(max).describe(what)

const pixel = (min: number) => z.int().min(min).max(16_384)

const settings = {
  encoder: z.string().describe('registered encoder, see "armature list"'),
  preset: z.string().default('default').describe('of the encoder, what the other settings started from'),
  config: z.record(z.string(), z.unknown()).default({}).describe("the encoder's own settings"),
  seed: z.int().min(0).max(MAX_SEED).default(0).describe('master seed of all random streams'),
  camera: z.string().default('front').describe('camera whose frames are learned from'),
  resize: z
    .union([z.enum(['auto', 'none']), z.tuple([z.int().min(1).max(4096), z.int().min(1).max(4096)])])
    .default('auto')
    .describe(
      '[height, width] that whole frames, or what crop leaves of them, are averaged to; auto: as recorded up to 128 pixels a side, else 96 on the longer side',
    ),
  crop: z
    .union([z.literal('none'), z.tuple([pixel(0), pixel(0), pixel(1), pixel(1)])])
    .default('none')
    .describe(
      '[top, left, height, width] in pixels of the recorded frames: what is cut out of them before they are resized',
    ),
  updates: z.int().min(0).max(1e9).default(6000).describe('gradient steps; most presets have a number of their own'),
  batchSize: count('rows of a batch', 65_536).default(64),
  batch: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('further options of the sampler of batches, e.g. batch.length=3 for tuples of frames'),
  validationFraction: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.1)
    .describe('share of the episodes that is held out, at least one'),
  statisticsFrames: count('training frames that statistics and the prior are taken from, evenly spread').default(4000),
  healthFrames: z
    .int()
    .min(2)
    .max(1e6)
    .default(512)
    .describe('held-out frames that health is measured on, evenly spread'),
  stopOnCollapse: z.boolean().default(false).describe('stop once the encoder has collapsed, instead of only saying so'),
  priorFrames: z
    .enum(['all', 'starts'])
    .default('all')
    .describe('frames that the prior is fitted to: of all times, or the first of each episode'),
  logEvery: count('updates between rows of metrics').default(100),
  checkpointEvery: count('updates between checkpoints').default(1000),
  memoryMb: z
    .number()
    .gt(0)
    .max(1e6)
    .default(1024)
    .describe('memory for decoded training episodes; a larger dataset is streamed'),
}

/** Everything that decides how an encoder is trained on a dataset. */
export const pretrainConfigSchema = z.strictObject(settings)

export type PretrainConfig = z.infer<typeof pretrainConfigSchema>

/** The resolved configuration of an encoder run, with what it was trained on: `config` in the `config.json` of its folder. */
export const encoderRunSchema = z.strictObject({
  kind: z.literal('encoder'),
  ...settings,
  frameShape: z.tuple([z.int(), z.int(), z.int()]).describe('height, width, channels'),
  resizedFrom: z
    .tuple([z.int(), z.int(), z.int()])
    .optional()
    .describe('height, width, channels of the recorded frames, where they are averaged to frameShape'),
  actionSize: z.int().min(0).default(0).describe('length of the actions that were learned from'),
  data: z.strictObject({
    path: z.string().describe('absolute path of the dataset'),
    sha256: z.string().describe('of its files, see hashFolder'),
    source: z.string().describe('env or robot that it was recorded from'),
    training: z.array(z.int()).describe('indices of the episodes that were learned from'),
    validation: z.array(z.int()).describe('and of those that were held out'),
  }),
})

export type EncoderRunConfig = z.infer<typeof encoderRunSchema>
