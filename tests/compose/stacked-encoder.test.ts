import { expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { unstackedEncoder } from '../../src/compose/stacked-encoder.ts'
import { encoderInput } from '../../src/core/encoder-input.ts'
import { Rng } from '../../src/core/rng.ts'
import { makeEncoder } from '../../src/index.ts'
import { pixelRepresentation } from '../../src/run/representation.ts'
import { startEngine } from '../../src/tensor/engine.ts'

test.each([1, 3])('a stack of %i frames is judged by what the agent sees in every step', async (stack) => {
  await startEngine({})
  const env = await makeEnv('armature/CartPole-v0', { size: 24, cameras: ['front'], start: 'random' })
  const encoder = makeEncoder('trunk', [24, 24, 3 * stack], new Rng(1), { latentSize: 4, filters: 4, layers: 2 })
  const judged = unstackedEncoder(encoder, stack)
  const episode = pixelRepresentation(env, { camera: 'front', stack, proprio: false }).begin()
  const recorded: Uint8Array[] = []
  let { observation } = await env.reset({ seed: 1 })
  for (let t = 0; t < 5; t++) {
    await episode.observe(observation)
    recorded.push(Uint8Array.from(observation.images.front!))
    const seen = await encoder.encode({ count: 1, frames: episode.frames!() })
    expect(await judged.encode(encoderInput(judged.spec, [t], (_, time) => recorded[time]!))).toEqual(seen)
    observation = (await env.step(Float32Array.of(1))).observation
  }
  const both = await judged.encode(encoderInput(judged.spec, [3, 4], (_, time) => recorded[time]!))
  expect(both).toHaveLength(8)
  expect(both.slice(0, 4)).not.toEqual(both.slice(4))
  encoder.dispose()
  await env.close()
})
