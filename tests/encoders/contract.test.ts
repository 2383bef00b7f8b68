import { beforeAll } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { encoderCases } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

for (const [name, entry] of Object.entries(encoders)) encoderCases(name, entry)
encoderCases('beta-vae', encoders['beta-vae']!, { architecture: 'rig' })
