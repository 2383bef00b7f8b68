import { beforeAll, expect, test } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { EncoderTraits } from '../contracts/encoder-cases.ts'
import { encoderCases } from '../contracts/encoder-cases.ts'
import { ENCODER_CASES } from './settings.ts'

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
  trunk: { ...control, decodes: false, isSeeded: true, isFitted: false },
  pca: control,
  random: { ...control, decodes: false, isSeeded: true },
  pixels: { ...control, isFitted: false },
}

test('of every registered encoder it is said what it can do', () => {
  expect(Object.keys(TRAITS).toSorted()).toEqual(Object.keys(encoders).toSorted())
})

for (const [name, entry] of Object.entries(encoders)) {
  for (const options of ENCODER_CASES[name] ?? [{}]) encoderCases(name, entry, TRAITS[name]!, options)
}
