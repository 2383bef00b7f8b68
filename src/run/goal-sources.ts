import type { Encoder } from '../core/encoder.ts'
import type { GoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Goal, GoalSource } from '../core/goals.ts'
import { Rng } from '../core/rng.ts'
import type { Representation } from './representation.ts'

/** Imagined goals: draws from the encoder's prior (RIG, Nair et al. 2018, section 4.2). */
export function priorGoals(encoder: Encoder): GoalSource {
  return { name: 'prior', sample: (rng) => ({ features: imagine(encoder, rng) }) }
}

/** The same with the decoded image beside each goal, from a bank of `size` goals drawn from the stream `seed`. */
export async function priorGoalsWithFrames(encoder: Encoder, size: number, seed: number): Promise<GoalSource> {
  return bankOf('prior', async () => {
    if (encoder.decode === undefined) throw withoutPrior(encoder)
    const { latentSize } = encoder.spec
    const latents = imaginedLatents(encoder, size, new Rng(seed))
    const images = await encoder.decode(latents, size)
    const frameSize = images.length / size
    return Array.from({ length: size }, (_, i) => ({
      features: latents.subarray(i * latentSize, (i + 1) * latentSize),
      frame: images.subarray(i * frameSize, (i + 1) * frameSize),
    }))
  })
}

/** Draws [count, latentSize] from the encoder's prior. */
export function imaginedLatents(encoder: Encoder, count: number, rng: Rng): Float32Array {
  const latents = new Float32Array(count * encoder.spec.latentSize)
  for (let i = 0; i < count; i++) latents.set(imagine(encoder, rng), i * encoder.spec.latentSize)
  return latents
}

function imagine(encoder: Encoder, rng: Rng): Float32Array {
  if (encoder.imagine === undefined) throw withoutPrior(encoder)
  return encoder.imagine(rng)
}

function withoutPrior({ spec }: Encoder): ArmatureError {
  return new ArmatureError('bad-config', `encoder ${spec.name}`, {
    got: 'no prior to imagine goals from',
    fix: 'set goals.exploration=env',
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
      const features = await representation.begin().goal({ images, state })
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
