import { z } from 'zod'
import { entropySettings } from '../entropy-settings.ts'

/** Settings of contrastive reinforcement learning; the defaults are the paper's and those of its released code (README.md). */
export const crlConfigSchema = z.strictObject({
  hidden: z
    .array(z.int().min(1).max(4096))
    .min(1)
    .max(8)
    .default([256, 256])
    .describe('units of each hidden ReLU layer, of the actor and of both towers of the critic'),
  embeddingSize: z.int().min(1).max(1024).default(64).describe('numbers in which state with action, and goal, meet'),
  similarity: z
    .enum(['product', 'distance'])
    .default('product')
    .describe('of the two embeddings: their inner product, or minus their Euclidean distance'),
  loss: z
    .enum(['nce', 'infonce'])
    .default('nce')
    .describe(
      'nce: is this goal of this row, yes or no; infonce: which goal of the batch is of this row, and which row of this goal',
    ),
  logSumExpPenalty: z
    .number()
    .min(0)
    .default(0)
    .describe('with infonce: weight of the squared log-sum-exp of each row, which keeps its level from drifting'),
  criticNorm: z.enum(['none', 'layer']).default('none').describe('normalisation in both towers of the critic'),
  learningRate: z.number().gt(0).max(0.1).default(3e-4).describe('Adam step size of actor, critic and entropy weight'),
  randomGoals: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe(
      "share of the rows for which the actor is shown another row's goal instead of one that was reached from there",
    ),
  initialAlpha: z.number().gt(0).default(1).describe('entropy weight at the start; the critic is in nats, too'),
  ...entropySettings,
})

export type CrlConfig = z.infer<typeof crlConfigSchema>
