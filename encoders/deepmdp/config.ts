import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'
import { trunkSettings, vectorTrunkSettings } from '../shared/trunk-config.ts'

/** Settings of DeepMDP: the paper's form, and with target network, unrolling and two-hot rewards the form of today's pixel agents. */
export const deepMdpConfigSchema = z.strictObject({
  ...trunkSettings,
  ...vectorTrunkSettings,
  learningRate: trunkSettings.learningRate.default(3e-3),
  transition: z
    .enum(['deterministic', 'gaussian', 'energy'])
    .default('deterministic')
    .describe(
      'model of the next latent: W1 of a deterministic one is an L2 distance; Gaussian by likelihood; samples by energy distance',
    ),
  samples: z.int().min(2).max(32).default(8).describe('samples of the `energy` model'),
  reward: z
    .enum(['absolute', 'two-hot'])
    .default('absolute')
    .describe("error of the reward: the paper's |r - r'|, or cross-entropy over bins"),
  transitionWeight: z.number().min(0).default(1).describe('weight of the transition loss beside that of the reward'),
  rewardWeight: z.number().min(0).default(1).describe('weight of the reward loss'),
  target: z
    .enum(['online', 'detached', 'momentum'])
    .default('online')
    .describe('what the next latent is: with gradient (as in the paper), without, or of a slow copy of the features'),
  momentum: z.number().gt(0).max(1).default(0.01).describe('share by which the slow copy follows, for target momentum'),
  relative: z
    .boolean()
    .default(true)
    .describe('measures errors of the next latent in spreads of the latents, so that shrinking them gains nothing'),
  unroll: z.int().min(1).max(8).default(1).describe('steps that the model is rolled out and held against the data'),
  lipschitz: z
    .number()
    .min(0)
    .default(0.1)
    .describe('weight of the penalty on how fast models change with the latent (the paper: 0.01)'),
  smoothness: z
    .number()
    .min(0)
    .default(1)
    .describe('weight of how far latents move in a step, in their spreads: Lipschitz control of the encoder'),
  hidden: z.int().min(1).max(1024).default(128).describe('hidden units of the models'),
})

export type DeepMdpConfig = z.infer<typeof deepMdpConfigSchema>

/** `paper`: gradients into the next latent, penalty 0.01; networks of the pixel agents, as its own are Atari's. */
export const deepMdpPresets: EncoderPresets<z.input<typeof deepMdpConfigSchema>> = {
  paper: {
    config: {
      latentSize: 50,
      filters: 32,
      hidden: 512,
      relative: false,
      smoothness: 0,
      lipschitz: 0.01,
      learningRate: 1e-4,
    },
    updates: 100_000,
    batchSize: 32,
  },
  default: { updates: 3000, batchSize: 64 },
  debug: { config: { latentSize: 8, filters: 4, layers: 2, hidden: 16 }, updates: 20, batchSize: 8 },
}
