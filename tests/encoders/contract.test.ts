import { beforeAll, expect, test } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import type { EncoderCaseOptions, EncoderTraits } from '../contracts/encoder-cases.ts'
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
  trunk: { ...control, decodes: false, isSeeded: true, isFitted: false },
  pca: control,
  random: { ...control, decodes: false, isSeeded: true },
  pixels: { ...control, isFitted: false },
}

test('of every registered encoder it is said what it can do', () => {
  expect(Object.keys(TRAITS).toSorted()).toEqual(Object.keys(encoders).toSorted())
})

/** Methods whose cases need no 48x48: small frames and networks, so that compiling them takes most of the time. */
const SMALL = { latentSize: 6, filters: 4, layers: 2 }
const SMALL_SHAPE = [20, 24, 3] as const
const CASES: Readonly<Record<string, readonly EncoderCaseOptions[]>> = {
  'beta-vae': [{}, { config: { architecture: 'rig' }, frameShape: [60, 80, 3] }],
  autoencoder: [
    {},
    {
      config: { ...SMALL, architecture: 'trunk', targetBits: 5, latentPenalty: 1e-6, decoderDecay: 1e-7 },
      frameShape: SMALL_SHAPE,
    },
  ],
  'cc-vae': [{}],
  grasp2vec: [{ config: { width: 4, failures: 'to-zero' }, frameShape: SMALL_SHAPE }],
  tcn: [
    { config: { width: 4, hidden: 16 }, frameShape: SMALL_SHAPE },
    { config: { width: 4, hidden: 16, views: 'single', loss: 'triplet', rowsPerEpisode: 8 }, frameShape: SMALL_SHAPE },
  ],
  mftcn: [
    { config: { width: 4, hidden: 16 }, frameShape: SMALL_SHAPE },
    { config: { width: 4, hidden: 16, frames: 1, loss: 'triplet' }, frameShape: SMALL_SHAPE },
  ],
  curl: [{ config: SMALL, frameShape: SMALL_SHAPE }],
  deepmdp: [
    { config: { ...SMALL, hidden: 16 }, frameShape: SMALL_SHAPE },
    {
      config: { ...SMALL, hidden: 16, transition: 'gaussian', unroll: 3, target: 'momentum', reward: 'two-hot' },
      frameShape: SMALL_SHAPE,
    },
    {
      config: { ...SMALL, hidden: 16, transition: 'energy', target: 'online', lipschitz: 0.01 },
      frameShape: SMALL_SHAPE,
    },
  ],
  dbc: [
    { config: { ...SMALL, hidden: 16 }, frameShape: SMALL_SHAPE },
    {
      config: { ...SMALL, hidden: 16, form: 'released', ensemble: 3, normBound: 0.5, inverseWeight: 1 },
      frameShape: SMALL_SHAPE,
    },
  ],
}

for (const [name, entry] of Object.entries(encoders)) {
  for (const options of CASES[name] ?? [{}]) encoderCases(name, entry, TRAITS[name]!, options)
}
