import { z } from 'zod'

/** Settings of the agent that goes where it is shown. */
export const aimConfigSchema = z.strictObject({
  gains: z
    .array(z.number())
    .min(1)
    .max(64)
    .default([1])
    .describe('factor from each of the first numbers seen to the action of the same number; further actions are 0'),
  noise: z
    .number()
    .min(0)
    .max(2)
    .default(0.1)
    .describe('standard deviation of what is added to each action where it explores'),
})

export type AimConfig = z.infer<typeof aimConfigSchema>
