import { z } from 'zod'

/** Settings of the reward for being near to what is shown, in units of the squared distance that it is given. */
export const huberSettings = {
  alpha: z.number().min(0).default(1).describe('weight of the squared distance'),
  beta: z.number().min(0).default(0.1).describe('weight of the root'),
  gamma: z
    .number()
    .gt(0)
    .default(1e-3)
    .describe('added to the squared distance under the root, so that it is smooth at the goal'),
}

/** What a run follows a demonstration by, in the place of the reward of its env. */
export const imitationSchema = z
  .strictObject({
    demonstration: z
      .strictObject({
        data: z
          .string()
          .min(1)
          .optional()
          .describe("folder of the dataset that holds it; absent: the scene's expert gives one as the run begins"),
        episode: z.int().min(0).optional().describe('its number in `data`; default: the first that succeeded'),
        camera: z.string().default('side').describe('camera that saw it'),
        envOptions: z
          .record(z.string(), z.unknown())
          .default({})
          .describe(
            "what differs from env.options where the scene's expert gives it: how the scene looks, where the camera is",
          ),
      })
      .prefault({}),
    alignment: z
      .enum(['time', 'nearest'])
      .default('time')
      .describe(
        'the moment of the demonstration that counts: that of the same time, or the nearest of those that lie `pace` to `reach` behind the last one that counted',
      ),
    pace: z
      .number()
      .gt(0)
      .max(1)
      .default(0.5)
      .describe(
        'nearest: moments that a step goes forward at least, or else waiting would cost nothing; 1 with `reach` 1 is by time',
      ),
    reach: z.int().min(1).default(3).describe('nearest: moments that a step may go forward at most'),
    ...huberSettings,
    beta: huberSettings.beta.default(1),
  })
  .describe(
    'a demonstration pays for following it, in distances relative to those within it; absent: goals or the env pay',
  )

export type ImitationConfig = z.infer<typeof imitationSchema>
