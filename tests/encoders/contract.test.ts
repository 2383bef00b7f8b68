import { beforeAll, expect, test } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { EncoderTraits } from '../contracts/encoder-cases.ts'
import { encoderCases } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const learned = { learns: true, decodes: true, imagines: false, isSeeded: true, isFitted: true }
const control = { learns: false, decodes: true, imagines: false, isSeeded: false, isFitted: true }

const TRAITS: Readonly<Record<string, EncoderTraits>> = {
  'beta-vae': { ...learned, imagines: true },
  autoencoder: learned,
  'cc-vae': { ...learned, imagines: true },
  grasp2vec: { ...learned, decodes: false },
  tcn: { ...learned, decodes: false },
  mftcn: { ...learned, decodes: false },
  curl: { ...learned, decodes: false },
  deepmdp: { ...learned, decodes: false },
  dbc: { ...learned, decodes: false },
  pca: control,
  random: { ...control, decodes: false, isSeeded: true },
  pixels: { ...control, isFitted: false },
}

test('of every registered encoder it is said what it can do', () => {
  expect(Object.keys(TRAITS).toSorted()).toEqual(Object.keys(encoders).toSorted())
})

for (const [name, entry] of Object.entries(encoders)) encoderCases(name, entry, TRAITS[name]!)
encoderCases('beta-vae', encoders['beta-vae']!, TRAITS['beta-vae']!, {
  config: { architecture: 'rig' },
  frameShape: [60, 80, 3],
})
for (const config of [
  { transition: 'gaussian', unroll: 3, target: 'momentum', reward: 'two-hot' },
  { transition: 'energy', target: 'online', lipschitz: 0.01 },
]) {
  encoderCases('deepmdp', encoders['deepmdp']!, TRAITS['deepmdp']!, { config })
}
encoderCases('dbc', encoders['dbc']!, TRAITS['dbc']!, {
  config: { form: 'released', ensemble: 3, normBound: 0.5, inverseWeight: 1 },
})
encoderCases('tcn', encoders['tcn']!, TRAITS['tcn']!, {
  config: { views: 'single', loss: 'triplet', rowsPerEpisode: 8 },
})
encoderCases('mftcn', encoders['mftcn']!, TRAITS['mftcn']!, { config: { frames: 1, loss: 'triplet' } })
encoderCases('grasp2vec', encoders['grasp2vec']!, TRAITS['grasp2vec']!, { config: { failures: 'to-zero' } })
