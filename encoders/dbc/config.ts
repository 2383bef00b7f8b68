import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'
import { trunkSettings, vectorTrunkSettings } from '../shared/trunk-config.ts'

/** Settings of DBC: the paper's loss, the released code's, and what was found to repair them. */
export const dbcConfigSchema = z.strictObject({
  ...trunkSettings,
  ...vectorTrunkSettings,
  form: z
    .enum(['paper', 'released'])
    .default('paper')
    .describe(
      "the loss: the paper's, between norms; or the released code's, coordinate by coordinate, with the sampled reward",
    ),
  norm: z
    .enum(['l1', 'l2'])
    .default('l2')
    .describe(
      "distance of latents in the paper's form: L1 as there, or L2 as in the Wasserstein distance that it is held against",
    ),
  rewardDistance: z
    .enum(['sampled', 'model'])
    .default('sampled')
    .describe(
      "rewards whose distance the paper's form takes: those of the data, as all released code does, or the model's",
    ),
  gamma: z.number().min(0).max(1).default(0.9).describe('weight of the distance of what comes next'),
  rewardWeight: z
    .number()
    .gt(0)
    .default(1)
    .describe(
      'weight of the reward distance, as in the paper; distances grow to 1 / (1 - gamma) times those of rewards',
    ),
  bisimulationWeight: z.number().min(0).default(0.5).describe('weight of the metric loss beside those of the models'),
  ensemble: z
    .int()
    .min(1)
    .max(10)
    .default(1)
    .describe('transition models, of which each update takes one (released cluster runs: 5)'),
  minStd: z
    .number()
    .gt(0)
    .default(0.1)
    .describe(
      'smallest standard deviation of the transition model; the released code has 1e-4, which pays for latents that shrink',
    ),
  maxStd: z
    .number()
    .gt(0)
    .default(1)
    .describe('largest one; the released code has 10 and starts at 5, which drowns the reward model in noise'),
  hidden: z.int().min(1).max(1024).default(128).describe('hidden units of the models (512 in the paper)'),
  normBound: z
    .number()
    .min(0)
    .default(0)
    .describe('radius of the ball onto which latents are projected (Kemertas & Aumentado-Armstrong 2021); 0: no bound'),
  inverseWeight: z
    .number()
    .min(0)
    .default(0)
    .describe('weight of telling the action from two latents in a row; 0: not asked'),
  intrinsicWeight: z
    .number()
    .min(0)
    .default(0)
    .describe(
      'what a step pays besides the reward of the env: so many times the error of the transition model there; 0: nothing',
    ),
  intrinsicMax: z.number().gt(0).default(0.1).describe('largest error that is paid for'),
})

export type DbcConfig = z.infer<typeof dbcConfigSchema>

/** `paper`: its loss and weights, with the networks and batches of the released code. */
export const dbcPresets: EncoderPresets<z.input<typeof dbcConfigSchema>> = {
  paper: {
    config: {
      latentSize: 50,
      filters: 32,
      hidden: 512,
      norm: 'l1',
      rewardDistance: 'model',
      gamma: 0.99,
      minStd: 1e-4,
      maxStd: 10,
      normBound: 0,
      inverseWeight: 0,
    },
    updates: 500_000,
    batchSize: 128,
  },
  default: { updates: 3000, batchSize: 64 },
  debug: { config: { latentSize: 8, filters: 4, layers: 2, hidden: 16 }, updates: 20, batchSize: 8 },
}
