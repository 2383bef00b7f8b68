import { z } from 'zod'
import { architectureSchema } from '../shared/networks.ts'

/** Settings of the untrained network. */
export const randomNetworkConfigSchema = z.strictObject({
  latentSize: z.int().min(1).max(256).default(32).describe('dimensions of the latent'),
  architecture: architectureSchema,
})

export type RandomNetworkConfig = z.infer<typeof randomNetworkConfigSchema>
