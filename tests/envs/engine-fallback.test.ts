import { describe, expect, it, vi } from 'vitest'
import { physicsPackages } from '../../envs/index.ts'
import { loadPhysics } from '../../envs/world/engine.ts'

vi.mock('@dimforge/rapier3d-simd-compat', () => ({
  init: () => Promise.reject(new Error('no simd128 here')),
}))

describe('where the SIMD build does not load', () => {
  it('auto falls back to the scalar build', async () => {
    const engine = await loadPhysics('auto')
    expect(engine.build).toBe('scalar')
    expect(engine.version).toBe('0.21.0')
  })

  it('asking for it says what to do', async () => {
    await expect(loadPhysics('simd')).rejects.toMatchObject({ code: 'engine-unavailable' })
    await expect(loadPhysics('simd')).rejects.toThrow(/rapier3d-simd-compat.*option physics/)
  })

  it('the probe reports both', async () => {
    expect(await physicsPackages()).toEqual([
      expect.objectContaining({ name: 'rapier simd', available: false }),
      { name: 'rapier scalar', available: true, detail: '0.21.0' },
    ])
  })
})
