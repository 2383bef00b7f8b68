import { z } from 'zod'
import { entropySettings } from '../entropy-settings.ts'

const sacSettings = z.strictObject({
  hidden: z
    .array(z.int().min(1).max(4096))
    .min(1)
    .max(8)
    .default([256, 256])
    .describe('units of each hidden ReLU layer, of the actor and of both critics'),
  criticNorm: z
    .enum(['none', 'layer', 'batch'])
    .default('none')
    .describe(
      'normalisation in the critics: layer is steadier with several updates per env step; batch takes the place of target networks (CrossQ)',
    ),
  statisticsTau: z
    .number()
    .gt(0)
    .max(1)
    .default(0.01)
    .describe('with criticNorm batch: share of the statistics of a batch that the running ones take over per update'),
  learningRate: z.number().gt(0).max(0.1).default(3e-4).describe('Adam step size of actor, critics and entropy weight'),
  learningRateDrop: z
    .strictObject({
      after: z.int().min(1).describe('updates before the step size falls'),
      factor: z.number().gt(0).max(1).default(0.3).describe('share of it that is left'),
    })
    .nullable()
    .default(null)
    .describe('a step size that falls once, so that a policy that has been learned becomes steady; null: it stays'),
  weightDecay: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('decoupled weight decay of actor, critics and feature network (AdamW), times the step size'),
  normalizeObservations: z
    .boolean()
    .default(false)
    .describe('bring each number of the vector observation to mean 0 and variance 1, by running statistics'),
  trainFeatures: z
    .boolean()
    .default(true)
    .describe(
      "with frames: the critics' loss trains the feature network; false: only its own learner and self-prediction do",
    ),
  selfPrediction: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .describe(
      "with frames: weight of predicting reward and next features from features and action, beside the critics' loss and in its size; 0: none",
    ),
  featureTau: z
    .number()
    .gt(0)
    .max(1)
    .default(0.05)
    .describe(
      'with frames: share of the feature network that its target copy takes over per update; no matter with criticNorm batch',
    ),
  clipNorm: z
    .number()
    .gt(0)
    .nullable()
    .default(null)
    .describe("longest gradient of the critics and of the actor (Euclidean norm over all weights); null: don't clip"),
  tau: z
    .number()
    .gt(0)
    .max(1)
    .default(0.005)
    .describe('share of the critics that the target critics take over per update; no matter with criticNorm batch'),
  policyDelay: z.int().min(1).max(100).default(1).describe('critic updates per update of actor and entropy weight'),
  initialAlpha: z
    .number()
    .gt(0)
    .default(1)
    .describe('entropy weight at the start, in units of reward per nat (rewards of order one assumed)'),
  ...entropySettings,
  entropyInBackup: z
    .boolean()
    .default(true)
    .describe('count entropy as part of the value; false: critics estimate the return alone'),
})

export type SacConfig = z.infer<typeof sacSettings>

/** Settings of soft actor-critic; the defaults are the paper's and those of its common implementations (README.md). */
export const sacConfigSchema = z.preprocess(withCriticNorm, sacSettings)

/** Runs of before have `criticLayerNorm`, true or false. */
function withCriticNorm(settings: unknown): unknown {
  if (typeof settings !== 'object' || settings === null || !('criticLayerNorm' in settings)) return settings
  const { criticLayerNorm, ...others } = settings
  if (typeof criticLayerNorm !== 'boolean' || 'criticNorm' in others) return settings
  return { ...others, criticNorm: criticLayerNorm ? 'layer' : 'none' }
}
