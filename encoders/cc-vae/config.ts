import { z } from 'zod'
import { architectureSchema, silhouetteSetting } from '../shared/networks.ts'
import { warmUpSettings } from '../shared/posterior.ts'
import { priorSettings } from '../shared/prior.ts'
import type { EncoderPresets } from '../shared/presets.ts'

/** Settings of the CC-VAE; README.md beside this file says where they differ from the paper's. */
export const ccVaeConfigSchema = z.strictObject({
  latentSize: z.int().min(1).max(64).default(4).describe('dimensions of z, what moves within an episode'),
  contextSize: z.int().min(1).max(64).default(4).describe('dimensions of c, what is the same throughout an episode'),
  architecture: architectureSchema
    .unwrap()
    .default('palette')
    .describe('networks of the frame, and but for spatial, which reads no colours, of the context as well'),
  beta: z
    .number()
    .gt(0)
    .default(0.5)
    .describe('weight of the KL term against squared error summed over pixels in [0, 1]'),
  ...warmUpSettings,
  silhouette: silhouetteSetting,
  contextWeight: z
    .number()
    .min(0)
    .default(1)
    .describe('w: weight of reconstructing the first frame from c alone; 0: an ablation'),
  sharedEncoders: z.boolean().default(false).describe('an ablation: one network reads both frames'),
  ...priorSettings,
  prior: priorSettings.prior.default('standard'),
  learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
})

export type CcVaeConfig = z.infer<typeof ccVaeConfigSchema>

/** `paper` is the released code's point mass: networks of RIG, a constant beta of 10, 1,500 epochs of 100 updates. */
export const ccVaePresets: EncoderPresets<z.input<typeof ccVaeConfigSchema>> = {
  paper: {
    config: { architecture: 'rig', beta: 10, betaStart: 1, betaAnneal: 0, learningRate: 1e-4 },
    updates: 150_000,
    batchSize: 128,
  },
  default: { updates: 4000, batchSize: 64 },
  debug: { config: { latentSize: 2, contextSize: 2, betaAnneal: 10 }, updates: 20, batchSize: 8 },
}
