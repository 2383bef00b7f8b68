import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { pendulumReward, pendulumStep } from '../../envs/tasks/pendulum.ts'
import { Rng } from '../../src/core/rng.ts'

describe('pendulumStep', () => {
  it('gives the values of the published equations', () => {
    // sin(pi/2) = 1: acceleration 15 + 3 u, speed 1 + 0.05 * 18, angle pi/2 + 0.05 * 1.9
    const [theta, thetaDot] = pendulumStep(Math.PI / 2, 1, 1)
    expect(thetaDot).toBeCloseTo(1.9, 12)
    expect(theta).toBeCloseTo(Math.PI / 2 + 0.095, 12)
    // sin(pi/6) = 1/2, torque -2: acceleration 7.5 - 6
    expect(pendulumStep(Math.PI / 6, 0, -2)[1]).toBeCloseTo(0.075, 12)
  })

  it('limits the speed before it moves the angle', () => {
    const [theta, thetaDot] = pendulumStep(Math.PI / 2, 7.9, 2)
    expect(thetaDot).toBe(8)
    expect(theta).toBeCloseTo(Math.PI / 2 + 0.4, 12)
    expect(pendulumStep(-Math.PI / 2, -7.9, -2)[1]).toBe(-8)
  })
})

describe('pendulumReward', () => {
  it('is the published cost, on the wrapped angle', () => {
    expect(pendulumReward(1, 2, 2)).toBeCloseTo(-(1 + 0.4 + 0.004), 12)
    expect(pendulumReward(1 + 2 * Math.PI, 2, 2)).toBeCloseTo(-1.404, 12)
    expect(pendulumReward(-1 - 6 * Math.PI, 0, 0)).toBeCloseTo(-1, 12)
    expect(pendulumReward(Math.PI, 8, 2)).toBeCloseTo(-16.2736044, 7)
    expect(pendulumReward(0, 0, 0)).toBeCloseTo(0, 12)
  })
})

describe('armature/Pendulum-v1', () => {
  it('rewards the state before the step and doubles the action', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    const { observation } = await env.reset({ seed: 5 })
    const [cos, sin, thetaDot] = observation.state
    const theta = Math.atan2(sin!, cos!)
    const { reward, observation: next } = await env.step(Float32Array.of(-0.5))
    expect(reward).toBeCloseTo(-(theta ** 2 + 0.1 * thetaDot! ** 2 + 0.001), 5)
    expect(next.state[2]).toBeCloseTo(thetaDot! + 0.05 * (15 * sin! - 3), 5)
    expect(next.proprio).toEqual(next.state)
    await env.close()
  })

  it('pays a random policy what the literature measured', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    const rng = new Rng(11)
    const action = new Float32Array(1)
    const returns: number[] = []
    for (let episode = 0; episode < 1000; episode++) {
      await env.reset(episode === 0 ? { seed: 3 } : {})
      let total = 0
      let steps = 0
      for (let isOver = false; !isOver; steps++) {
        action[0] = rng.uniform(-1, 1)
        const { reward, terminated, truncated } = await env.step(action)
        expect(terminated).toBe(false)
        total += reward
        isOver = truncated
      }
      expect(steps).toBe(200)
      returns.push(total)
    }
    const mean = returns.reduce((sum, x) => sum + x, 0) / returns.length
    const sd = Math.sqrt(returns.reduce((sum, x) => sum + (x - mean) ** 2, 0) / returns.length)
    // -1231, sd 289 over 4000 episodes; four standard errors of 1000 episodes.
    expect(Math.abs(mean + 1231)).toBeLessThan(37)
    expect(Math.abs(sd - 289)).toBeLessThan(26)
  })

  it('shows agents no images, and draws 256 x 256 on request', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    expect(env.spec.imageSpaces).toEqual({})
    expect((await env.reset({ seed: 0 })).observation.images).toEqual({})
    expect((await env.render()).length).toBe(256 * 256 * 3)
    await expect(env.render('side')).rejects.toThrow(/there is front/)
    await env.close()
  })

  it('draws the rod where the state says', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    for (let seed = 0; seed < 10; seed++) {
      const { observation } = await env.reset({ seed })
      const [cos, sin] = observation.state
      const image = await env.render('front', { width: 64, height: 64 })
      let [sumX, sumY, count] = [0, 0, 0]
      for (let i = 0; i < 64 * 64; i++) {
        const isRod = image[i * 3]! > image[i * 3 + 1]! + 40
        if (!isRod) continue
        sumX += (i % 64) - 31.5
        sumY += Math.floor(i / 64) - 31.5
        count++
      }
      expect(count).toBeGreaterThan(50)
      // Counter-clockwise from upright: to the left in the image is +sin.
      const length = Math.hypot(sumX, sumY)
      expect(-sumX / length).toBeCloseTo(sin!, 1)
      expect(-sumY / length).toBeCloseTo(cos!, 1)
    }
    await env.close()
  })
})
