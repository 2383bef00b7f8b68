import { beforeEach, describe, expect, it } from 'vitest'
import { engineInfo, probeEngines, startEngine } from '../../src/tensor/engine.ts'
import { tf } from '../../src/tensor/tf.ts'

describe('startEngine', () => {
  beforeEach(() => startEngine())

  it('starts onnx by default and says what it started', async () => {
    const info = await startEngine({ threads: 1 })
    expect(info).toMatchObject({ name: 'onnx', threads: 1, device: 'cpu' })
    expect(info.version).toMatch(/^\d+\.\d+\.\d+/)
    expect(engineInfo()).toEqual(info)
  })

  it('says that js is slow', async () => {
    expect((await startEngine({ name: 'js' })).note).toContain('slower')
    expect(engineInfo().name).toBe('js')
  })

  it('takes onnx for auto where no GPU is found', async () => {
    const tensorflow = (await probeEngines()).find(({ name }) => name === 'tensorflow')!
    const onGpu = tensorflow.available && tensorflow.detail.endsWith('gpu')
    expect((await startEngine({ name: 'auto' })).name).toBe(onGpu ? 'tensorflow' : 'onnx')
  })

  it('refuses what it cannot give, with a way out, and keeps the engine that runs', async () => {
    await expect(startEngine({ threads: 0 })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(startEngine({ providers: ['abacus'] })).rejects.toMatchObject({ code: 'engine-unavailable' })
    const tensorflow = (await probeEngines()).find(({ name }) => name === 'tensorflow')!
    if (!tensorflow.available) {
      await expect(startEngine({ name: 'tensorflow' })).rejects.toThrow(/tfjs-node.*npm install/s)
      expect(tensorflow.detail).toContain('tfjs-node')
    }
    expect(engineInfo().name).toBe('onnx')
  })

  it('tries a provider before it relies on it', async () => {
    const outcome = await startEngine({ providers: ['webgpu', 'cpu'] }).then(
      ({ device }) => device,
      (error: unknown) => (error as { code: string }).code,
    )
    expect(['webgpu+cpu', 'engine-unavailable']).toContain(outcome)
  })

  it('probes every engine without changing the one that runs', async () => {
    await startEngine({ name: 'js' })
    const probes = await probeEngines()
    expect(probes.map(({ name }) => name)).toEqual(['onnx', 'tensorflow', 'js'])
    expect(probes.find(({ name }) => name === 'onnx')!.available).toBe(true)
    expect(engineInfo().name).toBe('js')
    expect(tf.getBackend()).toBe('cpu')
  })
})
