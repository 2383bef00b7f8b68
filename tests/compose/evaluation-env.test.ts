import { expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { evaluationEnvOf, evaluationOptions } from '../../src/compose/evaluation-env.ts'
import { resolveConfig } from '../../src/compose/config.ts'

const place = (options: object, evalOptions: object): Parameters<typeof evaluationOptions>[0] => ({
  id: 'armature/CartPole-v0',
  options: { ...options },
  evalOptions: { ...evalOptions },
})

test('options of evaluation replace those of learning, section by section', () => {
  const learned = { task: 'swingup', distractor: { kind: 'discs', seed: 3 }, cameras: ['front'] }
  expect(evaluationOptions(place(learned, { distractor: { split: 'test' }, actionRepeat: 2 }))).toEqual({
    ...learned,
    distractor: { kind: 'discs', seed: 3, split: 'test' },
    actionRepeat: 2,
  })
  expect(evaluationOptions(place(learned, { cameras: ['top'], distractor: 'none' }))).toEqual({
    ...learned,
    cameras: ['top'],
    distractor: 'none',
  })
  expect(evaluationOptions(place(learned, {}))).toEqual(learned)
})

test('the scene of evaluation shows what the run has not seen, and must look at it in the same way', async () => {
  const options = { distractor: { kind: 'noise' }, cameras: ['front'] }
  const env = await makeEnv('armature/CartPole-v0', options)
  const config = (evalOptions: object) => ({ ...resolveConfig('pixels', {}), env: place(options, evalOptions) })
  const parts = (evalOptions: object) => ({ config: config(evalOptions), env, robot: undefined })
  const seen = async (evalOptions: object): Promise<Uint8Array> => {
    const evaluation = await evaluationEnvOf(parts(evalOptions))
    const { observation } = await evaluation.env.reset({ seed: 1 })
    await evaluation.close()
    return observation.images.front!
  }
  expect(await seen({})).toEqual((await env.reset({ seed: 1 })).observation.images.front)
  expect(await seen({ distractor: { split: 'test' } })).not.toEqual(await seen({}))
  await expect(seen({ size: 32 })).rejects.toThrow('camera front in evaluation: expected 48 x 48 x 3, got 32 x 32 x 3')
  await expect(seen({ cameras: ['human'] })).rejects.toThrow(
    'camera front in evaluation: expected 48 x 48 x 3, got none',
  )
  await env.close()
})
