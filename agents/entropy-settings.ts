import { z } from 'zod'

/** Settings of how much entropy a policy keeps, shared by the agents that learn a weight for it. */
export const entropySettings = {
  learnAlpha: z.boolean().default(true).describe('adapt the entropy weight; false: it stays at initialAlpha'),
  targetEntropy: z
    .number()
    .nullable()
    .default(null)
    .describe(
      'entropy that alpha steers to, in nats, of actions in [-1, 1]; null: minus the number of action dimensions',
    ),
}
