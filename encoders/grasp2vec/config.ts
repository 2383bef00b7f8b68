import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'

/** Settings of Grasp2Vec. */
export const grasp2VecConfigSchema = z.strictObject({
  width: z
    .int()
    .min(4)
    .max(128)
    .default(16)
    .describe('channels of the first convolution; those after it have 2 times as many, the last 3 times'),
  equality: z
    .number()
    .min(0)
    .max(10)
    .default(0.05)
    .describe('weight of the squared distance of difference and outcome, beside the n-pairs; the paper has none'),
  failures: z
    .enum(['leave-out', 'to-zero'])
    .default('leave-out')
    .describe('what a grasp that lifted nothing teaches: nothing, or that the bin is what it was'),
  flips: z
    .boolean()
    .default(true)
    .describe('mirror each of the three pictures on its own: legal, as embeddings are sums over places'),
  outcomeCamera: z.string().default('outcome').describe('camera that shows what the gripper holds'),
  learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
})

export type Grasp2VecConfig = z.infer<typeof grasp2VecConfigSchema>

/** `paper` has the schedule of the released code; its two towers are ResNets there. */
export const grasp2VecPresets: EncoderPresets<z.input<typeof grasp2VecConfigSchema>> = {
  paper: { config: { width: 32, equality: 0, learningRate: 1e-4 }, updates: 50_000, batchSize: 8 },
  default: { updates: 2000, batchSize: 32 },
  debug: { config: { width: 4 }, updates: 20, batchSize: 8 },
}
