import type { Encoder } from '../core/encoder.ts'
import type { GoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalSource } from '../core/goals.ts'
import { Rng } from '../core/rng.ts'
import type { Representation } from './representation.ts'

/** Imagined goals: latents from the prior, z ~ N(0, I) (RIG, Nair et al. 2018, section 4.2). */
export function priorGoals(latentSize: number): GoalSource {
  return { name: 'prior', sample: (rng) => ({ features: rng.fillNormal(new Float32Array(latentSize)) }) }
}

/** The same with the decoded image beside each goal, from a bank of `size` goals drawn from the stream `seed`. */
export async function priorGoalsWithFrames(encoder: Encoder, size: number, seed: number): Promise<GoalSource> {
  const { latentSize, name } = encoder.spec
  return bankOf('prior', async () => {
    if (encoder.decode === undefined) {
      throw new ArmatureError('bad-config', `encoder ${name}`, { expected: 'a decoder for imagined goals' })
    }
    const latents = new Rng(seed).fillNormal(new Float32Array(size * latentSize))
    const images = await encoder.decode(latents, size)
    const frameSize = images.length / size
    return Array.from({ length: size }, (_, i) => ({
      features: latents.subarray(i * latentSize, (i + 1) * latentSize),
      frame: images.subarray(i * frameSize, (i + 1) * frameSize),
    }))
  })
}

/** The env's own goals by their state, for representations that are functions of the state. */
export function stateGoals(env: GoalEnv, representation: Representation): GoalSource {
  return { name: 'env', sample: (rng) => ({ features: representation.fromState!(env.sampleGoal(rng)) }) }
}

/** The env's own goals as images, encoded: a bank of `size` goals drawn from the stream `seed`. */
export async function goalBank(
  env: GoalEnv,
  representation: Representation,
  size: number,
  seed: number,
): Promise<GoalSource> {
  return bankOf('env', async () => {
    const rng = new Rng(seed)
    const goals: Goal[] = []
    for (let i = 0; i < size; i++) {
      const state = env.sampleGoal(rng)
      const images = await env.renderGoal(state)
      const features = await representation.goal({ images, state })
      goals.push({ features, frame: Uint8Array.from(images[representation.camera!]!) })
    }
    return goals
  })
}

async function bankOf(name: string, make: () => Promise<readonly Goal[]>): Promise<GoalSource> {
  let goals = await make()
  return {
    name,
    sample: (rng) => goals[rng.int(goals.length)]!,
    refresh: async () => {
      goals = await make()
    },
  }
}
