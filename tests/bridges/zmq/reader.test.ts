import { describe, expect, it } from 'vitest'
import { Dealer, Router } from 'zeromq'
import { readAll } from '../../../bridges/zmq/reader.ts'
import { until } from '../helpers.ts'

const WAITING = 300

async function pair(): Promise<{ router: Router; dealer: Dealer }> {
  const router = new Router({ linger: 0 })
  await router.bind('tcp://127.0.0.1:*')
  const dealer = new Dealer({ linger: 0, routingId: 'one' })
  dealer.connect(router.lastEndpoint!)
  return { router, dealer }
}

describe('readAll', () => {
  it('gives all that waits and then what comes, in order, and the event loop its turn between', async () => {
    const { router, dealer } = await pair()
    for (let k = 0; k < WAITING; k++) await dealer.send(String(k))
    const seen: string[] = []
    let turns = 0
    const turn = (): void => {
      turns++
      if (seen.length < WAITING) setImmediate(turn)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    setImmediate(turn)
    const reading = readAll(router, ([id, body]) => seen.push(`${id!.toString()} ${body!.toString()}`))
    expect(await until(() => seen.length === WAITING)).toBe(true)
    expect(turns).toBeGreaterThan(2)
    // Now it waits for the next one again, without asking all the time.
    await dealer.send('later')
    expect(await until(() => seen.length === WAITING + 1)).toBe(true)
    expect(await until(() => router.receiveTimeout === -1)).toBe(true)
    expect(seen).toEqual([...Array.from({ length: WAITING }, (_, k) => `one ${k}`), 'one later'])
    router.close()
    await reading
    dealer.close()
  })

  it('rejects with what the taker throws', async () => {
    const { router, dealer } = await pair()
    const reading = readAll(router, () => {
      throw new Error('no')
    })
    await dealer.send('x')
    await expect(reading).rejects.toThrow('no')
    router.close()
    dealer.close()
  })
})
