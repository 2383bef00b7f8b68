import { describe, expect, it } from 'vitest'
import { ObserverClient } from '../../../bridges/client/observer-client.ts'
import { MemoryLink } from '../memory-network.ts'
import type { SimulatedBridge } from '../simulated-bridge.ts'
import { simulatedBridge, simulatedClient } from '../simulated-bridge.ts'

/** Both kinds of clients of one robot, and what each was told of its connection. */
async function clients(alarmAgeMs?: number): Promise<SimulatedBridge & { told: string[][]; links: MemoryLink[] }> {
  const bridge = await simulatedBridge()
  const options = alarmAgeMs === undefined ? {} : { alarmAgeMs }
  const { connection, link } = await simulatedClient(bridge, options)
  const seen: string[] = []
  const links = [link]
  await bridge.time.during(
    ObserverClient.connect({
      endpoint: 'memory:0',
      clock: bridge.time.clock,
      sleep: bridge.time.sleep,
      transport: (handlers) => {
        links.push(new MemoryLink(bridge.network, bridge.time, handlers))
        return links.at(-1)!
      },
      onChange: (change, text) => seen.push(change === 'old' ? `${change}: ${text}` : change),
      ...options,
    }),
  )
  return { ...bridge, told: [connection, seen], links }
}

describe('the alarm on the age of observations', () => {
  it('goes off once where a camera shows old pictures, though the robot says something all the time', async () => {
    const { time, robot, told } = await clients()
    await time.advance(1000)
    expect(told).toEqual([[], []])
    robot.change = (reading) => ({ ...reading, ageUs: 720_000 })
    await time.advance(1000)
    expect(told[0]).toEqual(['old'])
    // 500 ms is what the robot itself bears.
    expect(told[1]).toEqual([expect.stringMatching(/^old: the newest observation was captured 5\d\d ms ago$/)])
    robot.change = (reading) => reading
    await time.advance(1000)
    expect(told.map((codes) => codes.map((code) => code.split(':')[0]))).toEqual([
      ['old', 'fresh'],
      ['old', 'fresh'],
    ])
  })

  it('goes off before the connection counts as lost', async () => {
    const { time, links, told } = await clients(200)
    await time.advance(500)
    for (const link of links) link.weather = { isStalled: true }
    await time.advance(600)
    expect(told.map((codes) => codes.map((code) => code.split(':')[0]))).toEqual([['old'], ['old']])
    await time.advance(2000)
    for (const link of links) link.clear()
    await time.advance(500)
    for (const codes of told) expect(codes.slice(-2).toSorted()).toEqual(['back', 'fresh'])
  })
})
